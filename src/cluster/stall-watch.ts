// How long requests may have waited in this process before it read them.
//
// A process that was stopped, or whose event loop was blocked, goes on with requests that arrived meanwhile. The time
// left that each names is as of its sending, so an expired one would look like a fresh one.
//
// Owns a timer, the time of its last tick, and the stall that was noticed last.
//
// STALL-1. A request that is read while requests from a stall may still arrive counts as having waited for all of it.
//     That is too long for some, never too short.
// STALL-2. A stall is over once `caughtUp`, called after its end, has resolved: what had arrived by then has been read.
//     After five seconds it is over in any case: what was not read by then is lost with its connection.

/** Milliseconds between ticks. */
const tickEvery = 100
/** A tick this late, in ms, is a stall; shorter delays are too short for any deadline. */
const stallMin = 300
/** Milliseconds until a stall is over in any case. */
const stallMax = 5_000

export class StallWatch {
  readonly #caughtUp: () => Promise<unknown>
  readonly #timer: NodeJS.Timeout
  #ticked = readClocks()
  /** Milliseconds; 0 if none is under way. */
  #stall = 0
  #stalls = 0

  /** @param caughtUp resolves once the requests that had arrived when it was called have been read */
  constructor(caughtUp: () => Promise<unknown>) {
    this.#caughtUp = caughtUp
    this.#timer = setInterval(() => this.#tick(), tickEvery)
    this.#timer.unref()
  }

  /** Milliseconds that a request which is read now may have waited. */
  waited(): number {
    // After a stall, the first request may be read before the timer fires.
    this.#tick()
    return this.#stall
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const now = readClocks()
    // The monotonic clock stands still while the machine sleeps; the other one can be set.
    const passed = Math.max(
      now.monotonic - this.#ticked.monotonic,
      now.wall - this.#ticked.wall,
    )
    this.#ticked = now
    if (passed < stallMin) return
    this.#stall = Math.max(this.#stall, passed)
    const stall = ++this.#stalls
    const end = () => {
      if (stall === this.#stalls) this.#stall = 0 // STALL-2
    }
    setTimeout(end, stallMax).unref()
    void this.#caughtUp().then(end, end)
  }
}

function readClocks() {
  return { monotonic: performance.now(), wall: Date.now() }
}
