// An actor type that a plugin decides and folds.
//
// The log is the host's: it decides nothing, and folds nothing by itself. Its `evolve` collects the events that come after
// the last known state (Unfolded); with the next command, or when the state is read, the plugin folds them. The state
// after a command comes back with its decision, and is stored in its commit where it is small enough.

import type { ActorDefinition, Command, DecideContext } from 'cairn-es'
import { CairnError, formatAddress } from 'cairn-es'
import { create } from '@bufbuild/protobuf'
import type { Behavior, Decision, RemoteBehavior } from 'cairn-es/xstate'
import type { NewEvent } from 'cairn-es/store'

import { dataField, fromData } from '../codec/data.js'
import {
  defined,
  fromNewEvent,
  fromOutboxEntry,
  toActor,
  toCauses,
  toEvent,
} from '../codec/records.js'
import { topicNamed } from '../door/topics.js'
import {
  type Accept,
  type ActorType,
  type Basis,
  BasisSchema,
  DecideSchema,
  FoldSchema,
  type Result,
} from '../gen/cairn/v1/plugin_pb.js'
import type { RecordedEvent } from 'cairn-es'
import { failureOf, unexpectedResult } from './failures.js'
import type { Workbench } from './workbench.js'

const stateBytesMaxDefault = 64 * 1024
/** Milliseconds for a fold that a reader waits for. */
const foldTimeout = 10_000

/** A state and an event after it. It is an instance of a class, so that it is never stored as a state. */
class Unfolded {
  readonly before: unknown
  readonly event: RecordedEvent

  constructor(before: unknown, event: RecordedEvent) {
    this.before = before
    this.event = event
  }
}

/** The state before the first event, which only the plugin knows. */
const initial = Object.freeze({})

export function remoteActor(
  { type, version, commands, events, publishes, stateBytesMax }: ActorType,
  workbench: Workbench,
): ActorDefinition {
  const topics = publishes.map(topicNamed)
  const foldable = new Set(events)

  const remote: RemoteBehavior = {
    async decide(state, command, context, signal) {
      const { actor } = context
      const value = create(DecideSchema, {
        basis: basisOf(actor, state, context.version),
        command: command.type,
        commandId: command.id,
        nowMs: BigInt(Math.round(context.now)),
        ...defined({ causes: toCauses(command) }),
        ...dataField('data', command.data),
      })
      const key = `command ${command.id} to ${formatAddress(actor)}`
      const result = await workbench.run({ case: 'decide', value }, key, signal)
      return toDecision(result, command, context)
    },

    async fold(actor, state, at) {
      if (!(state instanceof Unfolded) && state !== initial) return state
      const value = create(FoldSchema, { basis: basisOf(actor, state, at) })
      const key = `the fold of ${formatAddress(actor)}`
      const signal = AbortSignal.timeout(foldTimeout)
      const result = await workbench.run({ case: 'fold', value }, key, signal)
      if (result.case === 'failed') throw failureOf(result.value)
      if (result.case !== 'folded') throw unexpectedResult(result.case, 'fold')
      return fromData(result.value.state)
    },
  }

  function toDecision(
    result: Result['result'],
    command: Command,
    { actor }: DecideContext,
  ): Decision {
    if (result.case === 'failed') throw failureOf(result.value)
    if (result.case !== 'decided') throw unexpectedResult(result.case, 'decide')
    const { decision } = result.value
    switch (decision.case) {
      case 'reject': {
        const { code, message, details } = decision.value
        return { ok: false, rejection: { code, message, details: fromData(details) } }
      }
      case 'accept':
        return toAccepted(decision.value, command, formatAddress(actor))
      case undefined:
        throw unexpectedResult('an empty decision', 'decide')
    }
  }

  function toAccepted(accept: Accept, command: Command, name: string): Decision {
    const decided = accept.events.map(fromNewEvent)
    checkEvents(decided, command, name)
    const reply = fromData(accept.reply)
    if (decided.length === 0) {
      if (accept.outbox.length > 0)
        throw wrong(
          `${name} decided messages, commands or timers without an event: they are stored with an event.`,
        )
      return { ok: true, events: [], reply: () => reply }
    }
    if (accept.state === undefined)
      throw wrong(
        `${name} accepted ${JSON.stringify(command.type)} without the state after its events: return it as state.`,
      )
    const outbox = accept.outbox.map(fromOutboxEntry)
    for (const entry of outbox)
      if (entry.kind === 'message' && !topics.some(({ name }) => name === entry.topic))
        throw wrong(
          `${name} published on topic ${JSON.stringify(entry.topic)}, which its manifest does not have: add it to publishes.`,
        )
    if (outbox.some(({ kind }) => kind === 'perform' || kind === 'stop'))
      throw wrong(`${name} asked for work, and a plugin has none: use a reactor.`)
    const after = { state: fromData(accept.state) }
    const common = { ok: true, events: decided, reply: () => reply, after } as const
    return outbox.length === 0 ? common : { ...common, outbox }
  }

  function checkEvents(
    decided: readonly NewEvent[],
    command: Command,
    name: string,
  ): void {
    const unknown = decided.find(event => !foldable.has(event.type))
    if (unknown !== undefined)
      throw wrong(
        `${name} decided event ${JSON.stringify(unknown.type)} for ${JSON.stringify(command.type)}, which its manifest ` +
          `does not have: it has ${events.join(', ')}.`,
      )
  }

  const behavior: Behavior = {
    version,
    commandTypes: commands,
    remote,
    initialState: () => initial,
    evolve: (state, event) => new Unfolded(state, event),
    decide: () => {
      throw wrong(`Actor type ${type} is decided by a plugin.`)
    },
  }
  const options = { stateBytesMax: stateBytesMax ?? stateBytesMaxDefault }
  return { type, behavior, options, publishes: topics }
}

function basisOf(
  actor: { readonly type: string; readonly id: string },
  state: unknown,
  version: number,
): Basis {
  const events: RecordedEvent[] = []
  let base = state
  while (base instanceof Unfolded) {
    events.push(base.event)
    base = base.before
  }
  return create(BasisSchema, {
    actor: toActor(actor),
    version: BigInt(version),
    events: events.toReversed().map(toEvent),
    ...(base === initial ? {} : dataField('state', base)),
  })
}

function wrong(message: string): CairnError {
  return new CairnError('invalid-definition', message)
}
