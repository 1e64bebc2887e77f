// Notices without a server: this bus reads them off the log by following it. The same
// promises as over NATS, and one more: nothing is ever missed, so nobody is interrupted.

import { outboxTargetOf } from '../codec/outbox.js'
import { checkNamespace } from '../model/address.js'
import type { LogRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { throwIfAborted } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { NoticeBus, SubscribeOptions, Subscription } from './bus.js'
import { type CommitStored, readCommitNotice, type EventStored } from './notice.js'
import {
  CountedSubscription,
  type Delivery,
  perCommit,
  perEvent,
} from './subscription.js'

/** The stores that a local bus may listen to. */
export interface LocalStores {
  /** The namespace's store, opened if it is not yet. */
  open(namespace: string): Promise<EventStore>
  /**
   * Calls back for each namespace that exists, before it resolves, and for each that comes
   * to exist after; the function it resolves with ends that.
   */
  watch(found: (namespace: string) => void): Promise<() => void>
}

export class LocalBus implements NoticeBus {
  readonly #stores: LocalStores
  readonly #subscriptions = new Set<Subscription>()

  constructor(stores: LocalStores) {
    this.#stores = stores
  }

  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(namespace, perEvent(handler), options)
  }

  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(namespace, perCommit(handler), options)
  }

  async #subscribe(
    namespace: string,
    delivery: Delivery,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const doing = `subscribing to namespace ${checkNamespace(namespace)}`
    throwIfAborted(options.signal, doing)
    const over = new AbortController()
    const running: Promise<void>[] = []
    const subscription = this.#add(delivery, options, async () => {
      over.abort()
      await Promise.all(running)
    })
    return this.#begun(subscription, options, doing, async () => {
      const store = await this.#stores.open(namespace)
      const after = await store.lastPosition()
      running.push(this.#read(store, after, subscription, over.signal))
    })
  }

  async subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const doing = 'subscribing across namespaces'
    throwIfAborted(options.signal, doing)
    const over = new AbortController()
    const running: Promise<void>[] = []
    let stopWatching = () => {}
    const subscription = this.#add(perEvent(handler), options, async () => {
      stopWatching()
      over.abort()
      await Promise.all(running)
    })
    const existing: Promise<void>[] = []
    let atStart = true
    const begin = async (namespace: string, fromFirst: boolean) => {
      const store = await this.#stores.open(namespace)
      const after = fromFirst ? 0 : await store.lastPosition()
      running.push(this.#read(store, after, subscription, over.signal))
    }
    return this.#begun(subscription, options, doing, async () => {
      stopWatching = await this.#stores.watch(namespace => {
        // A namespace that comes to exist later is heard from its first event.
        const begun = begin(namespace, !atStart)
        if (atStart) existing.push(begun)
        else begun.catch(() => subscription.interrupted('disconnected'))
      })
      atStart = false
      if (subscription.isEnded) stopWatching()
      await Promise.all(existing)
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(one => one.unsubscribe()))
  }

  /** The subscription once it is in force; one that fails to begin, or is aborted, is ended. */
  async #begun(
    subscription: CountedSubscription,
    { signal }: SubscribeOptions,
    doing: string,
    begin: () => Promise<void>,
  ): Promise<Subscription> {
    try {
      await begin()
      throwIfAborted(signal, doing)
    } catch (error) {
      await subscription.unsubscribe()
      throw error
    }
    return subscription
  }

  #add(
    delivery: Delivery,
    options: SubscribeOptions,
    end: () => Promise<void>,
  ): CountedSubscription {
    const subscription = new CountedSubscription(delivery, options, () => {
      this.#subscriptions.delete(subscription)
      return end()
    })
    this.#subscriptions.add(subscription)
    return subscription
  }

  async #read(
    store: EventStore,
    after: number,
    subscription: CountedSubscription,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      for await (const record of store.follow({ after, signal })) {
        const notice = toNotice(store.namespace, record)
        if (notice === undefined) subscription.malformed()
        else subscription.deliver(notice)
      }
    } catch (error) {
      // The store failed or was closed under the subscription: from here on nothing is heard.
      if (
        !signal.aborted &&
        !(error instanceof CairnError && error.code === 'store-closed')
      )
        subscription.interrupted('disconnected')
    }
  }
}

function toNotice(namespace: string, record: LogRecord): CommitStored | undefined {
  if (record.kind === 'malformed')
    return record.versions === undefined || record.actor === undefined
      ? undefined
      : readCommitNotice(
          namespace,
          record.actor,
          record.position,
          name => record.headers[name],
        )
  const { id, actor, position, firstVersion, lastVersion, events, nodeId, at } = record
  const { command, commands, outbox, correlationId, causationId, traceparent } = record
  return {
    namespace,
    actor,
    position,
    header: {
      commitId: id,
      firstVersion,
      lastVersion,
      eventTypes: events.map(event => event.type),
      nodeId,
      at,
      ...(outbox !== undefined && {
        outboxTargets: outbox.map(outboxTargetOf),
      }),
      ...(command !== undefined && { commandId: command.id }),
      ...(commands !== undefined && {
        commandIds: events.map(event => event.commandId!),
        correlationIds: events.map(event => event.correlationId ?? ''),
      }),
      ...(correlationId !== undefined && { correlationId }),
      ...(causationId !== undefined && { causationId }),
      ...(traceparent !== undefined && { traceparent }),
    },
  }
}
