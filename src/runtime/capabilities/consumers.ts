// Consumers, from which integration code pulls messages, and triggers, which pass them to functions.

import type { OpenNamespace } from '../../backend/backend.js'
import type { NoticeFanout } from '../../bus/notice-fanout.js'
import {
  type Consumer,
  createConsumer,
  type ConsumerPorts,
  type NodeConsumer,
} from '../../delivery/consumer/consumer.js'
import type { ConsumerDefinition } from '../../delivery/consumer/define-consumer.js'
import { consumerKey } from '../../delivery/consumer/consumer-document.js'
import { deadLetterName } from '../../delivery/consumer/leases.js'
import type { MessageSources } from '../../delivery/consumer/message-reader.js'
import {
  type NodeTrigger,
  type Trigger,
  type TriggerHandler,
  createTrigger,
  type TriggerOptions,
} from '../../delivery/consumer/trigger.js'
import { messageLogSource } from '../../delivery/source/message-log-source.js'
import { consumerStart } from '../../delivery/source/start-place.js'
import { topicSource } from '../../delivery/source/topic-source.js'
import { checkOptions } from '../../model/check-options.js'
import { CairnError, messageOf } from '../../model/errors.js'
import { TopicSelection } from '../../model/topic-selection.js'
import type { Queue } from '../../store/queue/queue.js'
import { show } from '../../model/show.js'
import type { Capability } from '../capability.js'
import { type NodeContext, traceOriginOf } from '../context.js'
import type { WriteLog } from '../../model/log.js'
import { partLog } from '../log.js'

export interface ConsumersCapability extends Capability {
  consumer(declared: ConsumerDefinition | string): Consumer
  trigger(
    declared: ConsumerDefinition | string,
    handler: TriggerHandler,
    options?: TriggerOptions,
  ): Trigger
}

export function consumersCapability(context: NodeContext): ConsumersCapability {
  const { open, settings, notices, deadLetters } = context
  const closing = new AbortController()
  const log = partLog(context.log, 'consumers')
  let setBack = 0
  const damaged = new Set<string>()
  const ports: ConsumerPorts = {
    documents: open.documents,
    queues: { ...deadLetters, topic: open.queues.topic },
    clock: settings.clock,
    sourcesOf: definition => sourcesOf(open, notices, definition, log),
    startOf: ({ name, startAt }, signal) => consumerStart(open, name, startAt, signal),
    log,
    closing: closing.signal,
    onSetBack: () => setBack++,
    onDamaged(name, error) {
      damaged.add(name)
      open.damage.report({
        place: `document ${consumerKey(name).join('.')}`,
        problem: 'unreadable',
        state: 'healed',
        text: `${messageOf(error)} With its definition, it goes on where this process knows that it is.`,
      })
    },
  }
  const triggers = new Set<NodeTrigger>()
  const consumers = new WeakMap<ConsumerDefinition, NodeConsumer>()
  const consumer = (declared: ConsumerDefinition | string) => {
    if (typeof declared === 'string') return createConsumer(declared, ports)
    const known = consumers.get(declared) ?? createConsumer(declared, ports)
    consumers.set(declared, known)
    return known
  }
  return {
    consumer,
    trigger(declared, handler, options = {}) {
      checkOptions('trigger', options, { concurrency: true })
      if (typeof handler !== 'function')
        throw new CairnError(
          'invalid-option',
          `The handler of a trigger is ${show(handler)}: pass a function.`,
        )
      const trigger = createTrigger(consumer(declared), handler, {
        ...options,
        log,
        origin: traceOriginOf(context),
      })
      triggers.add(trigger)
      return trigger
    },
    unsettled: signal => Promise.all([...triggers].map(one => one.unsettled(signal))),
    nextDueAt: async () =>
      Math.min(
        ...(await Promise.all(
          [...triggers].map(async one => (await one.nextDueAt()) ?? Infinity),
        )),
      ),
    stats: () => ({ consumers: { setBack, damaged: damaged.size } }),
    /** Stops the triggers, then ends the waits for messages. */
    async stop({ timeout }) {
      await Promise.all([...triggers].map(trigger => trigger.stop(timeout / 2)))
      closing.abort()
    },
  }
}

/** The two sources of a consumer: what code has published, and what commits publish. */
function sourcesOf(
  { store, queues, documents, partitions }: OpenNamespace,
  bus: NoticeFanout,
  { name, topics }: ConsumerDefinition,
  writeLog: WriteLog,
): MessageSources {
  const names = new TopicSelection(topics)
  const about = { name: deadLetterName(name), topics: names }
  const warn = (message: string, details: object) => writeLog('warn', message, details)
  const published = topicSource(queues.topic, partitions, about, warn)
  const publishedNow = topicSource(endingQueue(queues.topic), partitions, about, warn)
  const commits = messageLogSource({
    store,
    bus,
    partitions,
    documents,
    topics: names,
    log: (_level, message, details) => warn(message, details),
  })
  return {
    topics: {
      follow: published.follow.bind(published),
      readKey: published.readKey.bind(published),
      readAvailable: publishedNow.follow.bind(publishedNow),
      lastPosition: published.lastPosition.bind(published),
      idAt: published.idAt!.bind(published),
    },
    log: {
      follow: commits.follow.bind(commits),
      readKey: commits.readKey.bind(commits),
      lastPosition: commits.lastPosition.bind(commits),
      idAt: commits.idAt!.bind(commits),
      async *readAvailable(after, signal) {
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

/** The queue, but `follow` ends with the record that is the last one when it begins. */
function endingQueue(queue: Queue): Queue {
  return {
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
  }
}
