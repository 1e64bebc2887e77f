// Deadlines: one timer for many deadlines.
//
// Most work ends long before its deadline, so adding and removing must be cheap: a deadline is an entry
// in a bucket of time, and the timer waits for the first bucket with an entry.
//
// DEADLINES-1. `expire` is called after the deadline, at most `resolution` ms later unless the process is
//              busy, and never before it. It is not called for a removed entry.
// DEADLINES-2. The timer keeps the process alive only while there is an entry.

/** Work with a deadline. */
export interface Expiring {
  /** By `performance.now()`. */
  readonly deadline: number
  /** Called after the deadline. Must not throw. */
  expire(): void
}

/** The most milliseconds that `expire` is called after the deadline. */
export const resolution = 16

export class Deadlines {
  /** By the end of the bucket, in units of `resolution`. */
  readonly #buckets = new Map<number, Set<Expiring>>()
  #size = 0
  #timer: NodeJS.Timeout | undefined
  /** The bucket that the timer waits for. */
  #next = Infinity

  /** The number of entries. */
  get size(): number {
    return this.#size
  }

  add(entry: Expiring): void {
    const key = keyOf(entry)
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new Set()
      this.#buckets.set(key, bucket)
    }
    bucket.add(entry)
    if (this.#size++ === 0) this.#timer?.ref()
    if (key < this.#next) this.#waitFor(key)
  }

  remove(entry: Expiring): void {
    if (this.#buckets.get(keyOf(entry))?.delete(entry) !== true) return
    if (--this.#size === 0) this.#timer?.unref() // DEADLINES-2
  }

  #waitFor(key: number): void {
    clearTimeout(this.#timer)
    this.#next = key
    // For a wait longer than a timer allows, the timer fires early and is set again.
    const wait = Math.min(key * resolution - performance.now(), timerMax)
    this.#timer = setTimeout(this.#expireDue, Math.max(0, Math.ceil(wait)))
    if (this.#size === 0) this.#timer.unref()
  }

  readonly #expireDue = () => {
    this.#timer = undefined
    this.#next = Infinity
    const now = performance.now()
    let first = Infinity
    for (const [key, bucket] of this.#buckets) {
      if (key * resolution <= now)
        for (const entry of bucket) {
          bucket.delete(entry)
          this.#size--
          entry.expire()
        }
      if (bucket.size === 0) this.#buckets.delete(key)
      else if (key < first) first = key
    }
    if (first < this.#next) this.#waitFor(first)
  }
}

const timerMax = 2 ** 31 - 1

/** The first bucket that ends at or after the deadline. */
function keyOf({ deadline }: Expiring): number {
  return Math.ceil(deadline / resolution)
}
