// The part that all buses share: a bus keeps its subscriptions, and each subscription has a source of notices.

import { checkNamespace } from '../model/address.js'
import { throwIfAborted } from '../model/wait.js'
import type { NoticeBus, SubscribeOptions, Subscription } from './bus.js'
import type { CommitStored, EventStored } from './notice.js'
import { type ActorFilter, actorFilterOf } from './notice-filter.js'
import {
  CountedSubscription,
  type Delivery,
  perCommit,
  perEvent,
} from './subscription.js'

/** Feeds one subscription. */
export interface NoticeSource {
  /** Resolves once notices are received (BUS-2). */
  start(): Promise<void>
  /** Called once; also before `start` has resolved. */
  stop(): Promise<void> | void
}

export abstract class SourceBus implements NoticeBus {
  readonly #subscriptions = new Set<Subscription>()

  /** The source of a namespace, or of all namespaces without one. */
  protected abstract sourceOf(
    namespace: string | undefined,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
    options: SubscribeOptions,
  ): NoticeSource

  async subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(checkNamespace(namespace), perEvent(handler), options)
  }

  async subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(checkNamespace(namespace), perCommit(handler), options)
  }

  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return this.#subscribe(undefined, perEvent(handler), options)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map(one => one.unsubscribe()))
  }

  /** Resolves once the source has started. A subscription that fails to start, or is aborted, is ended. */
  async #subscribe(
    namespace: string | undefined,
    delivery: Delivery,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    const doing =
      namespace === undefined
        ? 'subscribing across namespaces'
        : `subscribing to namespace ${namespace}`
    throwIfAborted(options.signal, doing)
    const filter = actorFilterOf(options)
    const subscription = new CountedSubscription(delivery, options, () => {
      this.#subscriptions.delete(subscription)
      return source.stop()
    })
    const source = this.sourceOf(namespace, subscription, filter, options)
    this.#subscriptions.add(subscription)
    try {
      await source.start()
      throwIfAborted(options.signal, doing)
    } catch (error) {
      await subscription.unsubscribe()
      throw error
    }
    return subscription
  }
}
