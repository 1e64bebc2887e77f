// Deadlines of many: one timer for all of them.
//
// Most of what has a deadline is done long before it, so adding and removing is what has to
// be cheap: a deadline is an entry in the bucket of its moment, and the timer waits for the
// first bucket that holds any.
//
// D1. `expire` is called once the deadline has passed, never before, and at most
//     `resolution` ms after it, unless the process is busy; not for what was removed.
// D2. Only while there is something to wait for does the timer keep the process alive.

/** What has a deadline. */
export interface Expiring {
  /** By `performance.now()`. */
  readonly deadline: number
  /** The deadline has passed. Must not throw. */
  expire(): void
}

/** Milliseconds by which a deadline may be noticed late. */
export const resolution = 16

export class Deadlines {
  /** By the number of their last moment, in units of `resolution`. */
  readonly #buckets = new Map<number, Set<Expiring>>()
  #size = 0
  #timer: NodeJS.Timeout | undefined
  /** The bucket that the timer waits for. */
  #next = Infinity

  /** How many wait for their deadlines. */
  get size(): number {
    return this.#size
  }

  add(one: Expiring): void {
    const key = keyOf(one)
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = new Set()
      this.#buckets.set(key, bucket)
    }
    bucket.add(one)
    if (this.#size++ === 0) this.#timer?.ref()
    if (key < this.#next) this.#waitFor(key)
  }

  remove(one: Expiring): void {
    if (this.#buckets.get(keyOf(one))?.delete(one) !== true) return
    if (--this.#size === 0) this.#timer?.unref() // D2
  }

  #waitFor(key: number): void {
    clearTimeout(this.#timer)
    this.#next = key
    // Longer than a timer can wait for, it looks in between.
    const wait = Math.min(key * resolution - performance.now(), timerMax)
    this.#timer = setTimeout(this.#look, Math.max(0, Math.ceil(wait)))
    if (this.#size === 0) this.#timer.unref()
  }

  readonly #look = () => {
    this.#timer = undefined
    this.#next = Infinity
    const now = performance.now()
    let first = Infinity
    for (const [key, bucket] of this.#buckets) {
      if (key * resolution <= now)
        for (const one of bucket) {
          bucket.delete(one)
          this.#size--
          one.expire()
        }
      if (bucket.size === 0) this.#buckets.delete(key)
      else if (key < first) first = key
    }
    if (first < this.#next) this.#waitFor(first)
  }
}

const timerMax = 2 ** 31 - 1

/** The bucket whose moment is the first at or behind the deadline. */
function keyOf({ deadline }: Expiring): number {
  return Math.ceil(deadline / resolution)
}
