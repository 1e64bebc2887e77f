// A node's consumers and triggers: the part of the composition root that is about them.

import type { OpenNamespace } from '../backend/backend.js'
import type { NoticeFanout } from '../bus/notice-fanout.js'
import {
  type Consumer,
  consumerOf,
  type ConsumerPorts,
  type DeliverySource,
} from '../delivery/consumer/consumer.js'
import type { ConsumerSource } from '../delivery/consumer/consumer-state.js'
import type { ConsumerDefinition } from '../delivery/consumer/define-consumer.js'
import {
  type Trigger,
  type TriggerHandler,
  triggerOf,
  type TriggerOptions,
} from '../delivery/consumer/trigger.js'
import type { Clock } from '../model/clock.js'
import { type Logger, type WriteLog, writeTo } from '../model/log.js'
import { messageLog } from '../delivery/messages/message-log.js'
import { deadName } from '../delivery/consumer/consumer.js'
import { topicSource } from '../delivery/messages/topics.js'

export interface RunningConsumers {
  consumer(declared: ConsumerDefinition | string): Consumer
  trigger(
    declared: ConsumerDefinition | string,
    handler: TriggerHandler,
    options?: TriggerOptions,
  ): Trigger
  /** Stops the triggers, and whoever waits for messages. */
  stop(timeout: number): Promise<void>
}

export function startConsumers(
  open: OpenNamespace,
  parts: { readonly notices: NoticeFanout; readonly clock: Clock; readonly log: Logger },
): RunningConsumers {
  const { documents, queues } = open
  const closing = new AbortController()
  const log = writeTo(parts.log.child({ part: 'consumers' }))
  const ports: ConsumerPorts = {
    documents,
    queues,
    clock: parts.clock,
    sourcesOf: definition => sourcesOf(open, parts.notices, definition, log),
    log,
    closing: closing.signal,
  }
  const triggers = new Set<Trigger>()
  const consumers = new WeakMap<ConsumerDefinition, Consumer>()
  const consumer = (declared: ConsumerDefinition | string) => {
    if (typeof declared === 'string') return consumerOf(declared, ports)
    const known = consumers.get(declared) ?? consumerOf(declared, ports)
    consumers.set(declared, known)
    return known
  }
  return {
    consumer,
    trigger(declared, handler, options = {}) {
      const trigger = triggerOf(consumer(declared), handler, { ...options, log })
      triggers.add(trigger)
      return trigger
    },
    async stop(timeout) {
      await Promise.all([...triggers].map(trigger => trigger.stop(timeout)))
      closing.abort()
    },
  }
}

function sourcesOf(
  { store, queues, documents, partitions }: OpenNamespace,
  bus: NoticeFanout,
  { name, topics }: ConsumerDefinition,
  log: WriteLog,
): Readonly<Record<ConsumerSource, DeliverySource>> {
  const names = new Set(topics)
  const queue = queues.topic
  const about = { name: deadName(name), topics: names }
  const say = (message: string, details: object) => log('warn', message, details)
  const plain = topicSource(queue, partitions, about, say)
  // The same, of what is there at one moment.
  const plainNow = topicSource(
    {
      ...queue,
      name: queue.name,
      put: queue.put.bind(queue),
      read: queue.read.bind(queue),
      lastPosition: queue.lastPosition.bind(queue),
      remove: queue.remove.bind(queue),
      close: queue.close.bind(queue),
      async *follow({ after = 0, signal }) {
        const upTo = await queue.lastPosition({ signal })
        if (upTo > after) yield* queue.read({ after, upTo, signal })
      },
    },
    partitions,
    about,
    say,
  )
  const commits = messageLog({
    store,
    bus,
    partitions,
    documents,
    topics: names,
    log: (_level, message, details) => say(message, details),
  })
  return {
    topics: {
      follow: plain.follow.bind(plain),
      ofKey: plain.ofKey.bind(plain),
      now: plainNow.follow.bind(plainNow),
    },
    log: {
      follow: commits.follow.bind(commits),
      ofKey: commits.ofKey.bind(commits),
      async *now(after, signal) {
        const end = await commits.lastPosition(signal)
        if (end <= after) return
        for await (const record of commits.follow(after, signal)) {
          yield record
          if (record.position >= end) return
        }
      },
    },
  }
}
