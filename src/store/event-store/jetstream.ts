// The event store on NATS JetStream: one stream per namespace, one message per commit, one
// subject per actor.
//
// Owns what its parts share: the stream's description, the version cache, the known position, group commit. Appending is in
// jetstream-appender.ts, reading in jetstream-reader.ts, following in jetstream-follower.ts.
// STORE-JS-5. Positions belong to a generation of the stream. After a reconnect the generation is
//     compared, and the cache is cleared if the stream is another one.

import type { ActorAddress } from '../../model/address.js'
import type { LogRecord } from '../../model/commit.js'
import type { NewEvent } from '../../model/event.js'
import type { Position } from '../../model/version.js'
import { pause } from '../../model/wait.js'
import type { Connection } from '../../nats/connection.js'
import {
  GroupCommit,
  type GroupCommitMode,
  type GroupCommitStats,
} from '../../nats/group-commit.js'
import { type LogStream, readLogStream } from '../../nats/log-stream.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  FollowOptions,
  Head,
  ReadAllOptions,
} from './event-store.js'
import { Appender } from './jetstream-appender.js'
import { follow, type FollowerOptions, followPollInterval } from './jetstream-follower.js'
import { Heads } from './jetstream-heads.js'
import { LogReader } from './jetstream-reader.js'
import { SubjectReader } from './jetstream-reads.js'
import { StreamRecords } from './jetstream-records.js'
import { KnownPosition } from './known-position.js'
import type { OwnCommits } from './own-commits.js'
import { StoreBase, type StoreOptions } from './store-base.js'

export interface JetStreamStoreOptions extends StoreOptions {
  readonly connection: Connection
  readonly stream: LogStream
  /** Default `auto`. */
  readonly groupCommit?: GroupCommitMode
  /** Minimum number of commits in a shared batch. */
  readonly groupMin?: number
  /** Records the commits that this store appends. */
  readonly own?: OwnCommits
}

export class JetStreamStore extends StoreBase {
  readonly #connection: Connection
  readonly #stopListening: () => void
  readonly #groups: GroupCommit
  readonly #known: KnownPosition
  readonly #appender: Appender
  readonly #reader: LogReader
  readonly #following: FollowerOptions
  #stream: LogStream

  constructor(options: JetStreamStoreOptions) {
    super(options)
    const { connection, groupCommit: mode = 'auto', groupMin: min, own } = options
    const { replicas, lastPosition } = options.stream
    this.#connection = connection
    this.#stream = options.stream
    const stream = () => this.#stream
    this.#known = new KnownPosition(lastPosition, signal => this.lastPosition({ signal }))
    this.#groups = new GroupCommit(connection, {
      mode,
      replicas,
      ...(min !== undefined && { min }),
    })
    const records = new StreamRecords(stream)
    const subjects = new SubjectReader(connection, stream)
    const heads = new Heads(records, subjects, this.cache)
    const assertOpen = () => this.assertOpen()
    const reading = { connection, stream, records, subjects, heads, assertOpen }
    const reader = new LogReader(reading)
    this.#reader = reader
    const { namespace, closing } = this
    this.#following = { namespace, connection, reader, closing, assertOpen }
    this.#appender = new Appender({
      nodeId: this.nodeId,
      connection,
      stream,
      groups: this.#groups,
      records,
      heads,
      known: this.#known,
      own,
      assertOpen,
    })
    this.#stopListening = connection.onInterruption(interruption => {
      this.cache.unverify()
      if (interruption === 'disconnected') return
      this.#groups.reconfigure(this.#stream.replicas)
      void this.#checkGeneration()
    })
  }

  append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    return this.#appender.append(actor, events, options)
  }

  appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    return this.#appender.appendAll(parts, options)
  }

  head(actor: ActorAddress, { signal }: { signal?: AbortSignal } = {}): Promise<Head> {
    return this.#reader.head(actor, signal)
  }

  commits(actor: ActorAddress, options: CommitsOptions = {}): AsyncGenerator<LogRecord> {
    return this.#reader.commits(actor, options)
  }

  override readAll(options: ReadAllOptions = {}): AsyncGenerator<LogRecord> {
    return this.#reader.range(options)
  }

  override follow(options: FollowOptions = {}): AsyncGenerator<LogRecord> {
    return follow(this.#following, options)
  }

  actors({ type, signal }: { type?: string; signal?: AbortSignal } = {}) {
    return this.#reader.actors(type, signal)
  }

  lastPosition({ signal }: { signal?: AbortSignal } = {}): Promise<Position> {
    return this.#reader.lastPosition(signal)
  }

  knownPosition(): Position {
    return this.#known.position()
  }

  /** How many commits shared batches, and why or why not. */
  groupStats(): GroupCommitStats {
    return this.#groups.stats()
  }

  /** Waits for the appends in flight; each has its deadline. */
  override async close(): Promise<void> {
    this.#stopListening()
    this.#known.close()
    await super.close()
    await this.#appender.idle()
  }

  protected scan(
    after: Position,
    types: readonly string[] | undefined,
    signal: AbortSignal,
    limit?: number,
  ): AsyncGenerator<LogRecord, Position> {
    return this.#reader.scan(after, types, signal, limit)
  }

  protected waitBeyond(_after: Position, signal: AbortSignal): Promise<void> {
    return pause(followPollInterval, signal)
  }

  /** STORE-JS-5. */
  async #checkGeneration(): Promise<void> {
    try {
      const stream = await readLogStream(this.#connection, this.namespace, {
        signal: this.closing,
      })
      if (stream === undefined) return
      if (stream.generation !== this.#stream.generation) {
        this.cache.clear()
        this.#known.restart(stream.lastPosition)
      }
      this.#stream = stream
      this.#groups.reconfigure(stream.replicas)
    } catch {
      // The next append or read fails in the same way and reports the error to its caller.
    }
  }
}
