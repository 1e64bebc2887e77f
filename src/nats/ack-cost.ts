// The cost of an acknowledgement: the time from one commit to the next while several wait, by the server's clock.
//
// The server does not report its `sync_interval` to ordinary clients, and the disk matters, not the
// setting. Every stored message has the time at which the server began to store it. While commits are queued
// on the server, the time of the next one is the end of the previous one, including its wait
// for the disk. The measurement does not depend on the clock or the load of this process.
//
// ACK-COST-1. Only adjacent commits count, both sent as single messages while others were in flight:
//     then the server had more to store. The cost is the first quartile of the times between them,
//     because the server may have had to wait for the next message now and then.
// ACK-COST-2. A result is about one server and its disk, so it is discarded with the connection. Until then it is
//     measured again, at first more often.

import type { Position } from '../model/version.js'

/** When the server stored the message at a position, in its own format: `2026-01-01T00:00:00.123456789Z`. */
export interface StoredTime {
  readonly position: Position
  readonly time: string
}

/** Times needed for a result. */
const timesMin = 16
/**
 * Cost in milliseconds from which on the server is assumed to wait for its disk. Without the wait it is about 0.006 ms,
 * even on a busy machine.
 */
const diskWaitMin = 0.05
/** Milliseconds for which the first result is valid; each further one is valid twice as long. */
const validityMin = 1_000
const validityMax = 60_000

export class AckCost {
  #cost: number | undefined
  #validity = validityMin
  #validUntil = 0

  /** Milliseconds; `undefined` before it has been measured. */
  get cost(): number | undefined {
    return this.#cost
  }

  /** Whether the server waits for its disk; `undefined` before it has been measured. */
  get waitsForDisk(): boolean | undefined {
    return this.#cost === undefined ? undefined : this.#cost >= diskWaitMin
  }

  /** Whether a measurement is due. */
  isDue(now: number): boolean {
    return now >= this.#validUntil
  }

  /**
   * Updates the cost from a measurement. Too few times leave it unchanged.
   *
   * @param now by the same clock as that of {@link isDue}
   */
  update(storedTimes: readonly StoredTime[], now: number): void {
    this.#validUntil = now + this.#validity
    const times = timesBetween(storedTimes)
    if (times.length < timesMin) return
    this.#cost = times[times.length >> 2]!
    this.#validity = Math.min(validityMax, 2 * this.#validity)
  }

  /** ACK-COST-2. */
  reset(): void {
    this.#cost = undefined
    this.#validity = validityMin
    this.#validUntil = 0
  }
}

/** ACK-COST-1: milliseconds between adjacent commits, ascending. */
function timesBetween(storedTimes: readonly StoredTime[]): number[] {
  const times: number[] = []
  for (const [i, { position, time }] of storedTimes.entries()) {
    const previous = storedTimes[i - 1]
    if (previous?.position !== position - 1) continue
    const between = (microseconds(time) - microseconds(previous.time)) / 1_000
    if (between >= 0) times.push(between)
  }
  return times.sort((a, b) => a - b)
}

/** Microseconds since 1970; NaN for an invalid time. */
function microseconds(time: string): number {
  const [, seconds = '', fraction = ''] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time) ?? []
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.padEnd(9, '0')) / 1_000
}
