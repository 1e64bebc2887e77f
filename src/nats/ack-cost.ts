// What an acknowledgement costs the server: the time from one commit to the next while several
// wait, by the server's own clock.
//
// The server tells ordinary clients nothing of its `sync_interval`, and what matters is not the
// setting but the disk. Every stored message has the moment at which the server began to store it.
// Where commits wait in line, the next one's moment is when the one before was done with, its wait
// for the disk included. No clock here, and no moment when this process was busy, has a part in it.
//
// A1. Only neighbours count that both were sent while others were on their way, each as a message
//     of its own: then the server had something to go on with. The first quartile of the times
//     between them is the cost, as now and then the server had to wait for more all the same.
// A2. A verdict is about a server and a disk, so it ends with the connection. Until then it is
//     looked at again, sooner at first.

import type { Position } from '../model/version.js'

/** When a server stored what is at a position: its own words, `2026-01-01T00:00:00.123456789Z`. */
export interface StoredTime {
  readonly position: Position
  readonly time: string
}

/** Times between neighbours, at least. */
const timesMin = 16
/**
 * Milliseconds from which on a disk is taken to be waited for. Without that it is about 0.006 ms,
 * also on a busy machine.
 */
const waitsFrom = 0.05
/** Milliseconds that the first verdict is good for; each further one twice as long. */
const validFirst = 1_000
const validMax = 60_000

export class AckCost {
  #cost: number | undefined
  #valid = validFirst
  #until = 0

  /** Milliseconds; `undefined` before it has been measured. */
  get cost(): number | undefined {
    return this.#cost
  }

  /** Whether the server waits for its disk; `undefined` before it has been measured. */
  get waitsForDisk(): boolean | undefined {
    return this.#cost === undefined ? undefined : this.#cost >= waitsFrom
  }

  /** Whether it should be measured. */
  isDue(now: number): boolean {
    return now >= this.#until
  }

  /**
   * Takes what was measured; too little of it changes nothing.
   *
   * @param now by the clock that {@link isDue} is asked with
   */
  update(stamps: readonly StoredTime[], now: number): void {
    this.#until = now + this.#valid
    const times = timesBetween(stamps)
    if (times.length < timesMin) return
    this.#cost = times[times.length >> 2]!
    this.#valid = Math.min(validMax, 2 * this.#valid)
  }

  /** A2. */
  reset(): void {
    this.#cost = undefined
    this.#valid = validFirst
    this.#until = 0
  }
}

/** A1: milliseconds between neighbours, ascending. */
function timesBetween(stamps: readonly StoredTime[]): number[] {
  const times: number[] = []
  for (const [i, { position, time }] of stamps.entries()) {
    const before = stamps[i - 1]
    if (before?.position !== position - 1) continue
    const between = (microseconds(time) - microseconds(before.time)) / 1_000
    if (between >= 0) times.push(between)
  }
  return times.sort((a, b) => a - b)
}

/** Since 1970; NaN where it is no such time. */
function microseconds(time: string): number {
  const [, seconds = '', fraction = ''] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time) ?? []
  return Date.parse(`${seconds}Z`) * 1_000 + Number(fraction.padEnd(9, '0')) / 1_000
}
