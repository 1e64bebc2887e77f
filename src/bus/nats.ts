// Notices on NATS: the server republishes every stored commit, headers only, so that no
// crash of a writer can swallow one. Core NATS delivers at most once; what may be lost is
// noticed (B3) by the connection's interruptions and, since positions are dense within a
// namespace, by one that is not the next.

import type { Msg } from 'nats'

import { checkNamespace } from '../model/address.js'
import type { Position } from '../model/version.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from '../nats/connection.js'
import { readHeaders } from '../nats/headers.js'
import { noticeSubjects, noticeSubjectsOfAll, parseSubject } from '../nats/subjects.js'
import type { NoticeBus, SubscribeOptions, Subscription } from './bus.js'
import { type CommitStored, commitStored, type EventStored } from './notice.js'
import {
  CountedSubscription,
  type Delivery,
  perCommit,
  perEvent,
} from './subscription.js'

export class NatsBus implements NoticeBus {
  readonly #connection: Connection
  readonly #subscriptions = new Set<Subscription>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribeIn(namespace, perEvent(handler), options)
  }

  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribeIn(namespace, perCommit(handler), options)
  }

  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(noticeSubjectsOfAll, perEvent(handler), options)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(one => one.unsubscribe()))
  }

  async #subscribeIn(
    namespace: string,
    delivery: Delivery,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    return this.#subscribe(noticeSubjects(checkNamespace(namespace)), delivery, options)
  }

  async #subscribe(
    subject: string,
    delivery: Delivery,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const doing = `subscribing to ${subject}`
    throwIfAborted(options.signal, doing)
    // Per namespace: a subscription across namespaces hears several dense sequences.
    const last = new Map<string, Position>()
    let source: { unsubscribe(): void } | undefined
    const stopListening = this.#connection.onInterruption(reason => {
      last.clear()
      subscription.interrupted(reason)
    })
    const subscription = new CountedSubscription(delivery, options, () => {
      stopListening()
      source?.unsubscribe()
      this.#subscriptions.delete(subscription)
    })
    this.#subscriptions.add(subscription)
    try {
      const receive = (message: Msg) => {
        const notice = readNotice(message)
        if (notice === undefined) return subscription.malformed()
        const { namespace, position } = notice
        const before = last.get(namespace)
        // Also one that goes back: the stream is another one, or somebody made it up.
        if (before !== undefined && position !== before + 1)
          subscription.interrupted('gap')
        last.set(namespace, position)
        if (notice.commit === undefined) subscription.malformed()
        else subscription.deliver(notice.commit)
      }
      const { signal } = options
      source = await this.#connection.subscribe(subject, receive, { signal })
      throwIfAborted(signal, doing)
    } catch (error) {
      await subscription.unsubscribe()
      throw error
    }
    if (subscription.ended) source.unsubscribe()
    return subscription
  }
}

interface Notice {
  readonly namespace: string
  readonly position: Position
  /** Absent when the stored message was no commit: it takes a position all the same. */
  readonly commit: CommitStored | undefined
}

function readNotice(message: Msg): Notice | undefined {
  const parsed = parseSubject(message.subject)
  const headers = readHeaders(message)
  const position = Number(headers.get('Nats-Sequence'))
  if (parsed === undefined || !Number.isSafeInteger(position) || position < 1)
    return undefined
  const previous = Number(headers.get('Nats-Last-Sequence'))
  const commit = commitStored(
    parsed.namespace,
    parsed.actor,
    position,
    name => headers.get(name),
    Number.isSafeInteger(previous) && previous >= 0 ? previous : undefined,
  )
  return { namespace: parsed.namespace, position, commit }
}
