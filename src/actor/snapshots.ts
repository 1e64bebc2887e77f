// Snapshots of actors whose states are too large for their commits: read when an actor wakes, written after its commits, while
// commands go on.
//
// Owns the states that wait to be written, and the version of the latest snapshot of each actor that this node has written.
// ACTOR-SNAPSHOTS-1. Nothing waits for a write, and no command or wake fails because of a snapshot. One is written at a time.
//     What waits is bounded in number and in bytes; of one actor only the newest waits.
// ACTOR-SNAPSHOTS-2. A snapshot is used by the behavior version that has folded it, or by a later one that migrates it, with the same
//     skips, and only if the commit that it names is in the actor's history at its version.

import { decode } from '../codec/msgpack.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import type { InlineState } from '../model/commit.js'
import { isCairnError, messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { PendingWork } from '../model/work.js'
import type { Snapshot, Snapshots } from '../store/snapshots/snapshots.js'
import type { AnyActorDefinition } from './definition.js'
import type { FoldedState } from './fold.js'
import type { Skips } from './skips.js'
import {
  snapshotEveryDefault,
  type SnapshotQuery,
  type SnapshotSource,
  type StoredState,
} from './snapshot-source.js'

/** ACTOR-SNAPSHOTS-1. */
const waitingMax = 16
const waitingBytesMax = 256 * 1024 * 1024
/** Actors whose last snapshot is known; of another one it is known when it wakes from it. */
const knownMax = 10_000

export interface SnapshotStats {
  /** Since the start: snapshots that were written, and those that could not be. */
  readonly written: number
  readonly failed: number
  /** Wakes that began with a snapshot. */
  readonly used: number
}

/** What a snapshot holds of an actor with work. */
interface Carried {
  readonly state: unknown
  readonly works?: readonly PendingWork[]
}

interface Waiting {
  readonly actor: ActorAddress
  readonly snapshot: Snapshot
}

/** The state of a snapshot, as a commit carries one. Throws `invalid-data`. */
export function inlineStateOf({
  behavior,
  skipped,
  carriesWork,
  value: bytes,
}: Snapshot): InlineState {
  const value = decode(bytes)
  const carried = carriesWork ? (value as Carried) : { state: value }
  return {
    behavior,
    ...(skipped !== undefined && { skipped }),
    value: carried.state,
    ...(carried.works !== undefined && { works: carried.works }),
  }
}

export class ActorSnapshots implements SnapshotSource {
  readonly #snapshots: Pick<Snapshots, 'read' | 'write'>
  readonly #log: WriteLog
  readonly #waiting = new Map<string, Waiting>()
  readonly #versions = new Map<string, Version>()
  readonly #reported = new Set<string>()
  readonly #closing = new AbortController()
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #written = 0
  #failed = 0
  #used = 0

  constructor(snapshots: Pick<Snapshots, 'read' | 'write'>, log: WriteLog) {
    this.#snapshots = snapshots
    this.#log = log
  }

  /** ACTOR-SNAPSHOTS-2. */
  async find(
    { actor, behavior, skips }: SnapshotQuery,
    signal?: AbortSignal,
  ): Promise<StoredState | undefined> {
    const { version: own, migrateState } = behavior
    try {
      const found = await this.#snapshots.read(actor, {
        isUsable: ({ behavior: by, version, skipped }) =>
          (by === own || (by < own && migrateState !== undefined)) &&
          skipped === skips?.upTo(version),
        signal,
      })
      if (found === undefined) return undefined
      const { version, position, commitId } = found
      const state = inlineStateOf(found)
      this.#used++
      return { version, position, commitId, state }
    } catch (error) {
      if (signal?.aborted === true || isCairnError(error, 'aborted')) throw error
      this.#report(actor, 'could not be read, and its history is folded', error)
      return undefined
    }
  }

  /**
   * A state that is too large for its commit was stored, in MessagePack. It is written when enough events have passed.
   * @param after the state, with the version of the stored state that the actor woke from
   */
  offer(
    actor: ActorAddress,
    { behavior, options }: AnyActorDefinition,
    { version, position, inlineStateVersion, works }: FoldedState,
    skips: Skips | undefined,
    { value, commitId }: Pick<Snapshot, 'value' | 'commitId'>,
  ): void {
    const { snapshotEvery = snapshotEveryDefault } = options
    const name = formatAddress(actor)
    const last = Math.max(this.#versions.get(name) ?? 0, inlineStateVersion)
    if (snapshotEvery === 0 || version - last < snapshotEvery) return
    if (this.#closing.signal.aborted) return
    const replaced = this.#waiting.get(name)
    const bytes =
      this.#waitingBytes + value.length - (replaced?.snapshot.value.length ?? 0)
    const isFull =
      (replaced === undefined && this.#waiting.size >= waitingMax) ||
      (bytes > waitingBytesMax && this.#waiting.size > 0)
    // It is offered again after some more events.
    if (isFull) return
    const skipped = skips?.upTo(version)
    const at = { behavior: behavior.version, version, position, commitId }
    const snapshot: Snapshot = {
      ...at,
      ...(skipped !== undefined && { skipped }),
      ...(works !== undefined && { carriesWork: true }),
      value,
    }
    this.#waiting.set(name, { actor, snapshot })
    this.#waitingBytes = bytes
    this.#writing ??= this.#writeAll()
  }

  stats(): SnapshotStats {
    return { written: this.#written, failed: this.#failed, used: this.#used }
  }

  /** Writes nothing more. A snapshot that is being written may be given up. */
  async close(timeout: number): Promise<void> {
    this.#waiting.clear()
    this.#waitingBytes = 0
    if (this.#writing !== undefined) {
      const over = new AbortController()
      const ended = this.#writing.then(() => over.abort())
      await Promise.race([ended, pause(timeout, over.signal).catch(() => {})])
    }
    this.#closing.abort()
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting
      if (next === undefined) {
        this.#writing = undefined
        return
      }
      const [name, { actor, snapshot }] = next
      this.#waiting.delete(name)
      this.#waitingBytes -= snapshot.value.length
      try {
        const { signal } = this.#closing
        if (await this.#snapshots.write(actor, snapshot, signal)) this.#written++
        this.#remember(name, snapshot.version)
      } catch (error) {
        if (this.#closing.signal.aborted) return
        this.#failed++
        this.#report(actor, 'could not be written', error)
      }
    }
  }

  #remember(name: string, version: Version): void {
    this.#versions.delete(name)
    this.#versions.set(name, version)
    const [oldest] = this.#versions.keys()
    if (this.#versions.size > knownMax) this.#versions.delete(oldest!)
  }

  /** Once per actor type. */
  #report(actor: ActorAddress, what: string, error: unknown): void {
    if (this.#reported.has(actor.type + what)) return
    this.#reported.add(actor.type + what)
    const name = formatAddress(actor)
    this.#log('warn', `The snapshot of ${name} ${what}: ${messageOf(error)}`, {
      actor: name,
    })
  }
}
