// Reactors and triggers whose handlers are in a plugin.

import {
  type ActorDefinition,
  type ConsumedMessage,
  defineActor,
  defineConsumer,
  defineReactor,
  isCairnError,
  type Message,
  type Reactor as DefinedReactor,
  type ReactorContext,
  type RecordedEvent,
  TerminalError,
} from 'cairn-es'
import { create } from '@bufbuild/protobuf'
import type { OutboxEntry } from 'cairn-es/store'

import { defined, fromOutboxEntry, toEvent } from '../codec/records.js'
import { toConsumedMessage } from '../door/messages-service.js'
import { toMessage } from '../door/operations-service.js'
import { eventsOfType, topicOf, topicOrPattern } from '../door/topics.js'
import {
  FireSchema,
  type Reacted,
  ReactSchema,
  type Reactor,
  type Trigger,
} from '../gen/cairn/v1/plugin_pb.js'
import { failureOf, unexpectedResult } from './failures.js'
import { PluginCrashed, type Workbench } from './workbench.js'

/** Throws `invalid-definition`. */
export function remoteReactor(
  reactor: Reactor,
  workMax: number,
  workbench: Workbench,
): DefinedReactor {
  const { name, topics, eventsOf, attempts, timeoutMs, ordered, concurrency } = reactor
  const startAt = reactor.startAtNew ? 'new' : 'first'
  const eventTopics = new Set(eventsOf.map(type => eventsOfType(type).name))
  return defineReactor({
    name,
    on: [...topics.map(topicOrPattern), ...eventsOf.map(eventsOfType)],
    startAt,
    openMax: Math.min(workMax, concurrency ?? workMax),
    ...defined({
      timeout: timeoutMs,
      ordered,
      retry: attempts === undefined ? undefined : { attempts },
    }),
    async handle(message: Message, context) {
      const isEvent = eventTopics.has(message.topic)
      const value = create(ReactSchema, {
        reactor: name,
        message: toMessage(message, !isEvent),
        attempt: context.attempt,
        isLastAttempt: context.isLastAttempt,
        mayBeRepeat: context.mayBeRepeat,
        fencingEpoch: BigInt(context.fencingToken.epoch),
        redrives: context.redrives,
        ...(isEvent && { event: toEvent(message.data as RecordedEvent) }),
      })
      const key = `message ${message.id} of reactor ${name}`
      const { signal } = context
      const running = workbench.run({ case: 'react', value }, key, signal)
      const result = await resultOf(running, signal)
      if (result.case === 'failed') throw failureOf(result.value)
      if (result.case !== 'reacted') throw unexpectedResult(result.case, 'react')
      for (const entry of result.value.sends.map(fromOutboxEntry))
        await carryOut(entry, context)
      settle(result.value.settlement, context)
    },
  })
}

/** Sends what a handler wants sent. Its ids are derived from the message's, so that a repetition takes effect once. */
async function carryOut(
  entry: OutboxEntry,
  { publish, spawn }: ReactorContext,
): Promise<void> {
  switch (entry.kind) {
    case 'message':
      await publish(
        topicOf(entry.topic, entry.version),
        entry.data,
        defined({ headers: entry.headers }),
      )
      return
    case 'command': {
      const { type, id } = entry.actor
      await spawn(strangerOf(type), id).send(entry.type, entry.data)
      return
    }
    default:
      throw new TerminalError(
        'A reactor sent a timer or work: only actors have them. Send a command to an actor that does it.',
      )
  }
}

/** An actor type that is known by its name only. */
function strangerOf(type: string): ActorDefinition {
  const { behavior, ...rest } = defineActor({
    type,
    initialState: {},
    decide: {},
    evolve: {},
  })
  return { ...rest, behavior: { ...behavior, knows: () => true } } as ActorDefinition
}

function settle(settlement: Reacted['settlement'], context: ReactorContext): void {
  switch (settlement.case) {
    case 'retry':
      context.retry(settlement.value.afterMs)
      return
    case 'park':
      context.park(settlement.value.reason)
      return
    case 'drop':
      context.drop(settlement.value.reason)
      return
    default:
      context.ack()
  }
}

/** A trigger's consumer, what handles its messages, and how many at a time. */
export function remoteTrigger(trigger: Trigger, workbench: Workbench) {
  const { consumer, topics, eventsOf, ackWaitMs, attempts, concurrency } = trigger
  const startAt = trigger.startAtNew ? 'new' : 'first'
  return {
    definition: defineConsumer({
      name: consumer,
      on: [...topics.map(topicOrPattern), ...eventsOf.map(eventsOfType)],
      startAt,
      ...defined({ ackWait: ackWaitMs, attempts }),
    }),
    async handle(message: ConsumedMessage, signal: AbortSignal): Promise<void> {
      const value = create(FireSchema, { consumer, message: toConsumedMessage(message) })
      const key = `message ${message.headers['Cairn-Message'] ?? message.sequence} of consumer ${consumer}`
      const running = workbench.run({ case: 'fire', value }, key, signal)
      const result = await resultOf(running, signal)
      if (result.case === 'failed') throw failureOf(result.value)
      if (result.case !== 'fired') throw unexpectedResult(result.case, 'fire')
    },
    options: defined({ concurrency }),
  }
}

/**
 * When the plugin has died, its node leaves: the attempt ends with it, and does not count. A message that has killed
 * plugins by itself becomes a dead letter: it has had its attempts.
 */
async function resultOf<T>(running: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await running
  } catch (error) {
    if (error instanceof PluginCrashed)
      throw new TerminalError(error.message, { cause: error })
    if (isCairnError(error, 'not-owner') && !signal.aborted)
      await new Promise(resolve => {
        signal.addEventListener('abort', resolve, { once: true })
      })
    throw error
  }
}
