// The base of every event store: access to the version cache, reading events, following, and
// refusing work after close. An implementation adds how records are stored and read.

import { setMaxListeners } from 'node:events'

import { type ActorAddress, checkAddress } from '../../model/address.js'
import type { LogRecord } from '../../model/commit.js'
import type { NewEvent } from '../../model/event.js'
import { checkCount, type Position, type Version } from '../../model/version.js'
import { throwIfAborted } from '../../model/wait.js'
import { storeClosed } from './append.js'
import { checkLogOptions, checkReadOptions, eventsOf } from './read.js'
import { followLog } from './follow.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  EventStore,
  FollowOptions,
  Head,
  ReadAllOptions,
  ReadOptions,
} from './event-store.js'
import {
  type CachedHead,
  type Predecessor,
  VersionCache,
  type VersionCacheLimits,
  type VersionCacheStats,
} from '../version-cache.js'

export interface StoreOptions {
  readonly namespace: string
  /** Recorded in every commit that this store writes. */
  readonly nodeId: string
  readonly cache?: VersionCacheLimits
}

export abstract class StoreBase implements EventStore {
  readonly namespace: string
  protected readonly nodeId: string
  protected readonly cache: VersionCache
  readonly #closing = new AbortController()

  constructor({ namespace, nodeId, cache }: StoreOptions) {
    this.namespace = namespace
    this.nodeId = nodeId
    this.cache = new VersionCache(cache)
    // Any number of followers and pauses listen to it, and each removes its listener.
    setMaxListeners(0, this.#closing.signal)
  }

  abstract append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options?: AppendOptions,
  ): Promise<AppendResult>
  abstract appendAll(
    parts: readonly AppendPart[],
    options?: AppendAllOptions,
  ): Promise<AppendAllResult>
  abstract head(actor: ActorAddress, options?: { signal?: AbortSignal }): Promise<Head>
  abstract commits(
    actor: ActorAddress,
    options?: CommitsOptions,
  ): AsyncIterable<LogRecord>
  abstract actors(options?: {
    type?: string
    signal?: AbortSignal
  }): AsyncIterable<ActorAddress>
  abstract lastPosition(options?: { signal?: AbortSignal }): Promise<Position>
  abstract knownPosition(): Position

  /**
   * Yields records after `after`, up to the last one stored; returns the last position read.
   *
   * @param limit how many records the reader wants: a hint
   */
  protected abstract scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
    limit?: number,
  ): AsyncGenerator<LogRecord, Position>

  /** Resolves when there may be a record after `after`, when the signal fires, or in bounded time. */
  protected abstract waitBeyond(after: Position, signal: AbortSignal): Promise<void>

  read(actor: ActorAddress, options: ReadOptions = {}) {
    checkReadOptions(options)
    return eventsOf(this.commits(actor, options), options)
  }

  async *readAll(options: ReadAllOptions = {}): AsyncGenerator<LogRecord> {
    this.assertOpen()
    const { after = 0, types, limit = Infinity, signal } = options
    checkLogOptions(options)
    throwIfAborted(signal, 'reading the log')
    const end = await this.lastPosition(signal === undefined ? {} : { signal })
    let left = limit
    if (left === 0) return
    for await (const record of this.scan(after, types, this.#orClosing(signal), limit)) {
      if (record.position > end) return
      yield record
      throwIfAborted(signal, 'reading the log')
      if (--left === 0) return
    }
    // A scan ends early without an error when the signal fired or the store closed.
    throwIfAborted(signal, 'reading the log')
    this.assertOpen()
  }

  follow(options: FollowOptions = {}): AsyncIterable<LogRecord> {
    this.assertOpen()
    checkLogOptions(options)
    const source = {
      scan: this.scan.bind(this),
      waitBeyond: this.waitBeyond.bind(this),
    }
    return followLog(source, options, this.#orClosing(options.signal))
  }

  updateVersionCache(
    actor: ActorAddress,
    version: Version,
    position: Position,
    predecessor?: Predecessor,
  ): boolean {
    checkCount('version', version)
    checkCount('position', position)
    return this.cache.raise(checkAddress(actor), version, position, predecessor)
  }

  cachedVersion(actor: ActorAddress): Version | undefined {
    return this.cache.peek(actor)
  }

  cachedHead(actor: ActorAddress): CachedHead | undefined {
    return this.cache.peekHead(actor)
  }

  markCacheUnverified(): void {
    this.cache.unverify()
  }

  cacheStats(): VersionCacheStats {
    return this.cache.stats()
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Fires when the store closes. */
  protected get closing(): AbortSignal {
    return this.#closing.signal
  }

  protected assertOpen(): void {
    if (this.#closing.signal.aborted) throw storeClosed(this.namespace)
  }

  #orClosing(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.closing : AbortSignal.any([signal, this.closing])
  }
}
