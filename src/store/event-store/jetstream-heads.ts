// The heads of actors, as the server has them: read, and kept in the version cache.
//
// STORE-JS-11. What is read replaces the cached entry only if that has not changed since the read began.

import type { ActorAddress } from '../../model/address.js'
import {
  type ExpectedVersion,
  meetsExpectation,
  type Position,
  type Version,
} from '../../model/version.js'
import type { CachedHead, VersionCache } from '../version-cache.js'
import type { Head } from './event-store.js'
import type { SubjectReader } from './jetstream-reads.js'
import { lastVersionIn, lastVersionOf, type StreamRecords } from './jetstream-records.js'

/** The head of an actor without events. */
const noEvents: CachedHead = { version: 0, position: 0 }

export class Heads {
  readonly #records: StreamRecords
  readonly #reader: SubjectReader
  readonly #cache: VersionCache

  constructor(records: StreamRecords, reader: SubjectReader, cache: VersionCache) {
    this.#records = records
    this.#reader = reader
    this.#cache = cache
  }

  /** The cached head if it is trusted and meets the expectation; otherwise a read is needed. */
  cached(actor: ActorAddress, expected: ExpectedVersion): CachedHead | undefined {
    const cached = this.#cache.lookup(actor)
    if (cached !== undefined)
      return meetsExpectation(expected, cached.version) ? cached : undefined
    // "No events" needs no read: the server refuses position 0 if there are events.
    return expected === 0 || expected === 'none' ? noEvents : undefined
  }

  /** Version and position, read from headers only, as the leader has them (STORE-JS-4). */
  async read(
    actor: ActorAddress,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<CachedHead> {
    const subject = this.#records.subjectOf(actor)
    const before = this.#cache.snapshot(actor)
    const timeout = Math.max(1, deadline - Date.now())
    const last = await this.#reader.last(subject, { signal, timeout })
    let head = noEvents
    if (last !== undefined) {
      const version =
        lastVersionIn(last) ?? (await this.#reader.versionBefore(subject, last, signal))
      head = { version, position: last.position }
    }
    this.#cache.refresh(actor, head, before)
    return head
  }

  /** The same, with the last record. */
  async readRecord(actor: ActorAddress, signal: AbortSignal | undefined): Promise<Head> {
    const subject = this.#records.subjectOf(actor)
    const before = this.#cache.snapshot(actor)
    const message = await this.#reader.last(subject, { signal })
    if (message === undefined) {
      this.#cache.refresh(actor, { version: 0, position: 0 }, before)
      return { version: 0, position: 0 }
    }
    const last = this.#records.decode(message)
    const { position } = message
    const version =
      lastVersionOf(last) ?? (await this.#reader.versionBefore(subject, message, signal))
    this.#cache.refresh(actor, { version, position }, before)
    return { version, position, last }
  }

  /** An append or a read has proven that the actor has reached this version. */
  advance(actor: ActorAddress, version: Version, position: Position): void {
    this.#cache.advance(actor, version, position)
  }
}
