// News: readers that wait for an actor to reach a version.
//
// Owns the table of who waits for what. A notice may be missed: whoever waits looks again
// after a while in any case, and the table only makes it look sooner.
// N1. At most `limit` wait at a time; one more is refused with `queue-full`.
// N2. An expectation is made before the read whose answer it is to improve on: news that come
//     during that read are not lost.

import { CairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'

/** One reader's wait; end it in any case. */
export interface VersionWait {
  /** Resolves on news of the version, after `ms`, or when the signal fires. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>
  end(): void
}

interface Waiting {
  readonly version: Version
  readonly heard: AbortController
}

/** Milliseconds between looks at an actor of which news have come that no read shows yet. */
const lagPause = 20

export class VersionWaiters {
  readonly #limit: number
  readonly #waiting = new Map<string, Set<Waiting>>()
  #count = 0
  #isOver = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Throws `queue-full` (N1). */
  expect(name: string, version: Version): VersionWait {
    if (this.#count >= this.#limit) throw queueFull(this.#limit)
    this.#count++
    const waiting: Waiting = { version, heard: new AbortController() }
    if (this.#isOver) waiting.heard.abort()
    const others = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, others.add(waiting))
    return {
      async wait(ms, signal) {
        const { heard } = waiting
        if (heard.signal.aborted) return pause(Math.min(ms, lagPause), signal)
        const given = signal === undefined ? [] : [signal]
        await pause(ms, AbortSignal.any([heard.signal, ...given]))
      },
      end: () => {
        if (!others.delete(waiting)) return
        this.#count--
        if (others.size === 0 && this.#waiting.get(name) === others)
          this.#waiting.delete(name)
      },
    }
  }

  /** An actor has reached a version. */
  noticed(name: string, version: Version): void {
    for (const waiting of this.#waiting.get(name) ?? [])
      if (waiting.version <= version) waiting.heard.abort()
  }

  /** Nobody is to wait any more: whoever does looks at once, and finds why. */
  over(): void {
    this.#isOver = true
    for (const all of this.#waiting.values()) for (const { heard } of all) heard.abort()
  }
}

function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `${limit} readers wait for versions of actors on this node, its limit: read again later.`,
    { details: { limit } },
  )
}
