// Streams of a namespace that an operator has deleted while it is open.
//
// Owns which of the streams may be made again, and those that are missing.
// MISSING-STREAM-1. A stream is made again only if what it held is found again: timers are in the log, checkpoints in
//     the memory of their owners or at the start of the log. The log itself, the inbox, the topics and the dead letters
//     are not: they may be restored from a backup, which needs their names to be free.
// MISSING-STREAM-2. A stream that is made again begins at a position that none before it has reached (`firstPosition`):
//     a reader misses nothing of it, wherever it stands, and no revision is used twice.
// MISSING-STREAM-3. Each is reported once, and is checked again until it exists.

import type { DamageReports } from '../model/damage.js'
import { CairnError, messageOf } from '../model/errors.js'
import { programs } from '../model/programs.js'

/** Milliseconds before another attempt to make a stream that could not be made. */
const retryAfter = 5_000

/** MISSING-STREAM-2. More than a record each millisecond since 1970 has no stream. */
export function firstPosition(): number {
  return Date.now()
}

/** Makes the stream as declared; resolves with false if another process has made it. */
type MakeStream = () => Promise<boolean>

export class MissingStreams {
  readonly #damage: DamageReports
  readonly #makers = new Map<string, MakeStream>()
  readonly #making = new Map<string, Promise<CairnError | undefined>>()
  readonly #failedAt = new Map<string, number>()
  /** Streams that are missing now. */
  readonly #missing = new Set<string>()

  constructor(damage: DamageReports) {
    this.#damage = damage
  }

  /** MISSING-STREAM-1. */
  mayMake(stream: string, make: MakeStream): void {
    this.#makers.set(stream, make)
  }

  /** The streams that are missing, as far as this process knows. */
  list(): readonly string[] {
    return [...this.#missing]
  }

  /** A stream that was missing exists again (MISSING-STREAM-3). */
  exists(stream: string): void {
    if (this.#missing.delete(stream)) this.#damage.heal(stream)
  }

  /** Makes a missing stream again, or resolves with the error of the call that needed it. */
  async found(stream: string): Promise<CairnError | undefined> {
    const make = this.#makers.get(stream)
    const failedAt = this.#failedAt.get(stream) ?? -Infinity
    if (make === undefined || performance.now() - failedAt < retryAfter) {
      this.#note(stream, 'Calls that need it fail until it exists.')
      return streamMissingError(stream)
    }
    const making = this.#making.get(stream) ?? this.#make(stream, make)
    this.#making.set(stream, making)
    return making.finally(() => this.#making.delete(stream))
  }

  async #make(stream: string, make: MakeStream): Promise<CairnError | undefined> {
    try {
      const isMade = await make()
      this.#failedAt.delete(stream)
      this.exists(stream)
      if (isMade)
        this.#damage.report({
          place: stream,
          problem: 'missing',
          state: 'healed',
          text: `Stream ${stream} was deleted while the namespace was in use. It was made again; ${whatIsLost(stream)}.`,
        })
      return undefined
    } catch (error) {
      this.#failedAt.set(stream, performance.now())
      this.#note(stream, `It could not be made again: ${messageOf(error)}`)
      return streamMissingError(stream)
    }
  }

  #note(stream: string, text: string): void {
    this.#missing.add(stream)
    this.#damage.report({
      place: stream,
      problem: 'missing',
      state: 'open',
      text: `${streamMissingError(stream).message} ${text}`,
    })
  }
}

function whatIsLost(stream: string): string {
  if (stream.endsWith('_TIMERS')) return 'its timers are set again from the log'
  if (stream.endsWith('_VIEWS')) return 'projections are built anew'
  return 'groups go on where this process knows that they are, and else start again from the first record'
}

export function streamMissingError(stream: string): CairnError {
  const remedy = isLog.test(stream)
    ? 'Restore it from a backup, or restart the node to create a new one.'
    : `Restore it from a backup, or make an empty one with "${programs.cairn} repair", or restart the node.`
  return new CairnError(
    'foreign-stream',
    `Stream ${stream} no longer exists: it was deleted while this store was open. ${remedy}`,
    { details: { stream } },
  )
}

/** A log cannot be made again without its history. */
const isLog = /^CAIRN_[a-z0-9-]+$/
