// Notices without a server: this bus follows the log. It keeps the same promises as the bus on NATS, and misses no
// notice, so there are no interruptions.

import { headerOf } from '../codec/commit-headers.js'
import type { LogRecord } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { FollowsOwnCommits, OwnCommit } from '../store/event-store/own-commits.js'
import { type CommitStored, readCommitNotice } from './notice.js'
import { type ActorFilter, isWanted } from './notice-filter.js'
import { type NoticeSource, SourceBus } from './source-bus.js'
import type { CountedSubscription } from './subscription.js'

type FollowedStore = EventStore & Partial<FollowsOwnCommits>

/** The stores that a local bus follows. */
export interface LocalStores {
  /** Returns the namespace's store, and opens it if necessary. */
  open(namespace: string): Promise<FollowedStore>
  /**
   * Calls back for each existing namespace before it resolves, and for each namespace created
   * later. The function that it resolves with ends that.
   */
  watch(found: (namespace: string) => void): Promise<() => void>
}

export class LocalBus extends SourceBus {
  readonly #stores: LocalStores

  constructor(stores: LocalStores) {
    super()
    this.#stores = stores
  }

  protected override sourceOf(
    namespace: string | undefined,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
  ): NoticeSource {
    return namespace === undefined
      ? new AllLogsSource(this.#stores, subscription, filter)
      : new LogSource(this.#stores, subscription, filter, namespace)
  }
}

/** Follows the log of one namespace. */
class LogSource implements NoticeSource {
  readonly #followers: Followers
  readonly #namespace: string

  constructor(
    stores: LocalStores,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
    namespace: string,
  ) {
    this.#followers = new Followers(stores, subscription, filter)
    this.#namespace = namespace
  }

  start(): Promise<void> {
    return this.#followers.follow(this.#namespace, 'from-now')
  }

  stop(): Promise<void> {
    return this.#followers.stop()
  }
}

/** Follows the logs of all namespaces. */
class AllLogsSource implements NoticeSource {
  readonly #stores: LocalStores
  readonly #subscription: CountedSubscription
  readonly #followers: Followers
  #stopWatching = () => {}

  constructor(
    stores: LocalStores,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
  ) {
    this.#stores = stores
    this.#subscription = subscription
    this.#followers = new Followers(stores, subscription, filter)
  }

  async start(): Promise<void> {
    const existing: Promise<void>[] = []
    let isStarting = true
    this.#stopWatching = await this.#stores.watch(namespace => {
      if (isStarting) existing.push(this.#followers.follow(namespace, 'from-now'))
      // A namespace created later is followed from its first event.
      else
        this.#followers
          .follow(namespace, 'from-first')
          .catch(() => this.#subscription.interrupted('disconnected'))
    })
    isStarting = false
    if (this.#subscription.isEnded) this.#stopWatching()
    await Promise.all(existing)
  }

  stop(): Promise<void> {
    this.#stopWatching()
    return this.#followers.stop()
  }
}

/** The logs that one subscription follows. */
class Followers {
  readonly #stores: LocalStores
  readonly #subscription: CountedSubscription
  readonly #filter: ActorFilter | undefined
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>[] = []

  constructor(
    stores: LocalStores,
    subscription: CountedSubscription,
    filter: ActorFilter | undefined,
  ) {
    this.#stores = stores
    this.#subscription = subscription
    this.#filter = filter
  }

  /** Resolves once the starting position is known. */
  async follow(namespace: string, from: 'from-first' | 'from-now'): Promise<void> {
    const store = await this.#stores.open(namespace)
    const after = from === 'from-first' ? 0 : await store.lastPosition()
    this.#running.push(this.#read(store, after))
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#running)
  }

  async #read(store: FollowedStore, after: number): Promise<void> {
    const { signal } = this.#stopped
    try {
      if (store.followNotices === undefined)
        for await (const record of store.follow({ after, signal }))
          this.#deliver(store.namespace, record)
      else
        for await (const chunk of store.followNotices({ after, signal }))
          for (const one of chunk) this.#deliver(store.namespace, one)
    } catch (error) {
      // The store failed, or was closed before the subscription: no more notices are delivered.
      if (
        !signal.aborted &&
        !(error instanceof CairnError && error.code === 'store-closed')
      )
        this.#subscription.interrupted('disconnected')
    }
  }

  #deliver(namespace: string, one: OwnCommit | LogRecord): void {
    // A record of no actor is of none that is wanted (BUS-6).
    const filter = this.#filter
    if (filter !== undefined && (one.actor === undefined || !isWanted(filter, one.actor)))
      return
    const notice = 'header' in one ? one : toNotice(namespace, one)
    if (notice === undefined) this.#subscription.malformed()
    else this.#subscription.deliver(notice)
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
  const { actor, position } = record
  return { namespace, actor, position, header: headerOf(record) }
}
