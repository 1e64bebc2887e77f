// Samples commits that are sent one by one while the connection is busy, and reads when the server stored them, to
// measure the cost of an acknowledgement (ack-cost.ts).

import type { Position } from '../model/version.js'
import { AckCost } from './ack-cost.js'
import type { Connection } from './connection.js'
import { directSome } from './direct-scan.js'

/** Commits per measurement. */
export const samplesPerMeasurement = 64
/** Requests in flight from which on the connection is busy enough for a measurement. */
export const busyRequests = 16
/** How far apart the positions of the samples may be. */
const positionSpan = 400
/** Milliseconds to read when the samples were stored. */
const readTimeout = 500

export class AckCostSampler {
  readonly #connection: Connection
  readonly #onMeasured: () => void
  readonly #cost = new AckCost()
  /** Positions of the samples, while they are collected. */
  #samples: Position[] | undefined
  #isReading = false
  #calls = 0

  constructor(connection: Connection, onMeasured: () => void) {
    this.#connection = connection
    this.#onMeasured = onMeasured
  }

  /** Milliseconds; `undefined` before it has been measured. */
  get cost(): number | undefined {
    return this.#cost.cost
  }

  /** Whether the server waits for its disk; `undefined` before it has been measured. */
  get waitsForDisk(): boolean | undefined {
    return this.#cost.waitsForDisk
  }

  /** Whether samples are collected. */
  get isCollecting(): boolean {
    return this.#samples !== undefined
  }

  /** Whether the storage times of the samples are being read. */
  get isReading(): boolean {
    return this.#isReading
  }

  /** Starts a measurement if one is due and the connection is busy; returns whether it did. */
  startIfDue(queued: number): boolean {
    // The clock is read for every 16th call only.
    if ((++this.#calls & 15) !== 0) return false
    const isBusy =
      this.#connection.requests.inFlight >= busyRequests || queued >= busyRequests
    if (!isBusy || !this.#cost.isDue(performance.now())) return false
    this.#samples = []
    return true
  }

  /** Adds the position of a commit that was sent alone. */
  add(stream: string, position: Position): void {
    const samples = this.#samples
    if (samples === undefined) return
    samples.push(position)
    if (samples.length >= samplesPerMeasurement) void this.#measure(stream, samples)
  }

  /** Discards the measured cost and the samples: the server or the stream may have changed. */
  reset(): void {
    this.#cost.reset()
    this.#samples = undefined
  }

  async #measure(stream: string, samples: readonly Position[]): Promise<void> {
    this.#samples = undefined
    this.#isReading = true
    const sampled = new Set(samples)
    const last = Math.max(...samples)
    const from = Math.max(1, last - positionSpan)
    try {
      const count = last - from + 1
      const timeout = AbortSignal.timeout(readTimeout)
      const connection = this.#connection
      const messages = await directSome(connection, stream, '>', from, count, timeout)
      const times = messages
        .filter(({ position }) => sampled.has(position))
        .map(({ position, headers }) => ({
          position,
          time: headers.get('Nats-Time-Stamp') ?? '',
        }))
      this.#cost.update(times, performance.now())
    } catch {
      // No caller waits for the measurement. The next read or write meets the same problem and reports it.
      this.#cost.update([], performance.now())
    }
    this.#isReading = false
    this.#onMeasured()
  }
}
