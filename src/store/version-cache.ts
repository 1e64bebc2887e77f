// The version cache: the current version and position of actors, as this process knows them.
//
// Owns one bounded map, actor → (version, position). Reads, appends and notices of commits update
// it; an append consults it first, to save a read.
//
// CACHE-1. A hint, never the authority: the store checks every append that relies on it.
// CACHE-2. `raise` inserts or raises, and ignores an equal or older version.
// CACHE-3. `refresh` sets an entry as read from the store, also downwards, unless the entry changed
//     during the read: it may be newer then, and only raising is safe.
// CACHE-4. An entry is proven when this process stored or read that version at that position, or
//     when a notice continues a proven entry. The server compares positions only, so an append
//     relies on a version only if it is proven; an unproven one costs a read.
// CACHE-5. An entry older than the last `unverify` is not trusted until it is raised or refreshed.
// CACHE-6. Bounded by entries and by bytes; an evicted entry costs one read. The bound on entries
//     is kept here: lru-cache would allocate room for all of its `max` at once.

import { LRUCache } from 'lru-cache'

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Position, Version } from '../model/version.js'

export interface VersionCacheLimits {
  /** Maximum number of entries. Default 100,000. */
  readonly entries?: number
  /** Maximum bytes of keys and entries, estimated. Default 32 MiB. */
  readonly bytes?: number
}

export interface VersionCacheStats {
  readonly entries: number
  readonly bytes: number
  /** Lookups that found a trusted entry. */
  readonly hits: number
  readonly misses: number
  /** Entries inserted or raised by notices. */
  readonly raises: number
  /** Entries corrected by a read of the store. */
  readonly heals: number
}

/** The actor's commit before the one that a notice reports. */
export interface Predecessor {
  /** 0 when the reported commit is the actor's first. */
  readonly version: Version
  readonly position: Position
}

/** Immutable: a changed entry is a new object, so one comparison shows whether it changed. */
export interface CachedHead {
  readonly version: Version
  readonly position: Position
}

interface Entry extends CachedHead {
  readonly epoch: number
  readonly proven: boolean
}

/** Bytes of an entry besides its key's characters, estimated: object, map slot, list links. */
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

  /** The entry that an append may rely on (CACHE-4, CACHE-5); counts a hit or a miss. */
  lookup(actor: ActorAddress): CachedHead | undefined {
    const entry = this.#entries.get(formatAddress(actor))
    if (entry !== undefined && entry.proven && entry.epoch === this.#epoch) {
      this.#hits++
      return entry
    }
    this.#misses++
    return undefined
  }

  /** The trusted version, without counting a hit or renewing the entry. */
  peek(actor: ActorAddress): Version | undefined {
    return this.peekHead(actor)?.version
  }

  /** The same, with the position of its commit. */
  peekHead(actor: ActorAddress): CachedHead | undefined {
    const entry = this.#entries.peek(formatAddress(actor))
    return entry?.epoch === this.#epoch ? entry : undefined
  }

  /** The entry, trusted or not: take it before a read and pass it to `refresh` after it. */
  snapshot(actor: ActorAddress): CachedHead | undefined {
    return this.#entries.peek(formatAddress(actor))
  }

  /** CACHE-2: takes over the version of a notice. Returns whether the entry's version changed. */
  raise(
    actor: ActorAddress,
    version: Version,
    position: Position,
    predecessor?: Predecessor,
  ): boolean {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry !== undefined && entry.version >= version) {
      // The same version, as after each commit of this process: it is trusted again, as proven as before.
      const isSame = entry.version === version && entry.position === position
      if (isSame && entry.epoch !== this.#epoch)
        this.#set(key, version, position, entry.proven)
      return false
    }
    this.#set(key, version, position, continues(entry, predecessor))
    this.#raises++
    return true
  }

  /** Records what this process stored or read: raises and proves the entry; not counted as a raise. */
  advance(actor: ActorAddress, version: Version, position: Position): void {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry === undefined || entry.version <= version)
      this.#set(key, version, position, true)
  }

  /** CACHE-3: records `head` as read; `before` is the result of `snapshot` before the read. */
  refresh(actor: ActorAddress, head: CachedHead, before: CachedHead | undefined): void {
    const key = formatAddress(actor)
    const entry = this.#entries.peek(key)
    if (entry !== before && entry !== undefined && entry.version > head.version) return
    const wrong =
      entry !== undefined &&
      (entry.version !== head.version || entry.position !== head.position)
    if (wrong) this.#heals++
    this.#set(key, head.version, head.position, true)
  }

  /** CACHE-5: after a gap in the notices, no entry is trusted. */
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
    if (this.#entries.size > this.#entriesMax) this.#entries.pop() // CACHE-6
  }
}

/**
 * CACHE-4: whether a commit with that predecessor directly follows a proven entry. A notice of a
 * first commit proves nothing: an actor without an entry may be old.
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
