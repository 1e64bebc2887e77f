// The version cache: what this process believes about where actors stand.
//
// Owns one bounded map, actor → (version, position). Whoever has read the truth, or heard
// of a commit, tells it; whoever appends asks it first, to save a read.
//
// V1. A hint, never the judge: every answer drawn from it is checked by the store.
// V2. `raise` inserts or raises, and ignores what is equal or older.
// V3. `settle` sets the truth as read, also downwards, unless the entry changed while the
//     read was under way: then what came in between may be newer, and only raising is safe.
// V4. An entry is proven when this process itself stored or read that version at that
//     position, or when a notice continues a proven entry. The server can judge a position
//     only, so a version is built upon only when it is proven: an unproven one costs a read.
// V5. An entry older than the last `unverify` is not believed until raised or settled again.
// V6. Bounded by entries and by bytes; an evicted entry costs one read. It takes no room for
//     entries that are not there: lru-cache would reserve it for all of its `max`, so the bound
//     is kept here.

import { LRUCache } from 'lru-cache'

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Position, Version } from '../model/version.js'

export interface VersionCacheLimits {
  /** Entries at most. Default 100,000. */
  readonly entries?: number
  /** Bytes of keys and entries at most, estimated. Default 32 MiB. */
  readonly bytes?: number
}

export interface VersionCacheStats {
  readonly entries: number
  readonly bytes: number
  /** Appends that found a believed entry. */
  readonly hits: number
  readonly misses: number
  /** Entries inserted or raised from outside. */
  readonly raises: number
  /** Entries corrected by a read of the truth. */
  readonly heals: number
}

/** The place of the commit before the one that a notice is about: what it continues. */
export interface Predecessor {
  /** 0 when the commit is the actor's first. */
  readonly version: Version
  readonly position: Position
}

/** Immutable: a changed belief is a new object, so "unchanged since" is one comparison. */
export interface CachedHead {
  readonly version: Version
  readonly position: Position
}

interface Entry extends CachedHead {
  readonly epoch: number
  readonly proven: boolean
}

/** An entry's cost beside its key's characters, estimated: object, map slot, list links. */
const entryBytes = 120

export class VersionCache {
  readonly #entries: LRUCache<string, Entry>
  readonly #entriesMax: number
  #epoch = 0
  #hits = 0
  #misses = 0
  #raises = 0
  #heals = 0

  constructor(limits: VersionCacheLimits = {}) {
    this.#entriesMax = limits.entries ?? 100_000
    this.#entries = new LRUCache({
      maxSize: limits.bytes ?? 32 * 1024 * 1024,
      sizeCalculation: (_, key) => entryBytes + 2 * key.length,
    })
  }

  /** The entry to build a commit on (V4, V5), counted as a hit or a miss. */
  lookup(actor: ActorAddress): CachedHead | undefined {
    const entry = this.#entries.get(formatAddress(actor))
    if (entry !== undefined && entry.proven && entry.epoch === this.#epoch) {
      this.#hits++
      return entry
    }
    this.#misses++
    return undefined
  }

  /** The believed version, without counting or refreshing. */
  peek(actor: ActorAddress): Version | undefined {
    const entry = this.#entries.peek(formatAddress(actor))
    return entry?.epoch === this.#epoch ? entry.version : undefined
  }

  /** The entry as it is, believed or not: take it before a read, hand it to `settle` after. */
  snapshot(actor: ActorAddress): CachedHead | undefined {
    return this.#entries.peek(formatAddress(actor))
  }

  /** V2: what a notice says. Returns whether the belief changed. */
  raise(
    actor: ActorAddress,
    version: Version,
    position: Position,
    predecessor?: Predecessor,
  ): boolean {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry !== undefined && entry.version >= version) {
      // The same again, as of each commit of one's own: it is believed again, and as proven as it was.
      const isSame = entry.version === version && entry.position === position
      if (isSame && entry.epoch !== this.#epoch)
        this.#set(key, version, position, entry.proven)
      return false
    }
    this.#set(key, version, position, continues(entry, predecessor))
    this.#raises++
    return true
  }

  /** What this process itself has stored or read: raises and proves, and is no news. */
  advance(actor: ActorAddress, version: Version, position: Position): void {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry === undefined || entry.version <= version)
      this.#set(key, version, position, true)
  }

  /** V3: the truth as read; `before` is what `snapshot` gave when the read began. */
  settle(actor: ActorAddress, truth: CachedHead, before: CachedHead | undefined): void {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry !== before && entry !== undefined && entry.version > truth.version) return
    const wrong =
      entry !== undefined &&
      (entry.version !== truth.version || entry.position !== truth.position)
    if (wrong) this.#heals++
    this.#set(key, truth.version, truth.position, true)
  }

  /** V5: after a gap in the notices, nothing cached is believed any more. */
  unverify(): void {
    this.#epoch++
  }

  clear(): void {
    this.#entries.clear()
  }

  stats(): VersionCacheStats {
    return {
      entries: this.#entries.size,
      bytes: this.#entries.calculatedSize,
      hits: this.#hits,
      misses: this.#misses,
      raises: this.#raises,
      heals: this.#heals,
    }
  }

  #set(key: string, version: Version, position: Position, proven: boolean): void {
    this.#entries.set(key, { version, position, epoch: this.#epoch, proven })
    if (this.#entries.size > this.#entriesMax) this.#entries.pop() // V6
  }
}

/**
 * V4: whether a commit with that predecessor comes right behind what the entry proves. A claim
 * to be the first of all proves nothing: an actor that is not cached may be old.
 */
function continues(
  entry: Entry | undefined,
  predecessor: Predecessor | undefined,
): boolean {
  return (
    entry?.proven === true &&
    predecessor !== undefined &&
    entry.version === predecessor.version &&
    entry.position === predecessor.position
  )
}
