// Version waiters: readers that wait for an actor to reach a version.
//
// Owns the table of waiters. Notices may be missed, so a waiter reads again after some time in any
// case; the table only makes it read earlier.
// WAITERS-1. At most `limit` readers wait at a time. One more is refused with `queue-full`.
// WAITERS-2. A waiter is registered before its read begins, so that a notice during the read is not lost.

import { CairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'

/** The wait of one reader. It must be ended in any case. */
export interface VersionWait {
  /** Resolves when the version is reported, after `ms`, or when the signal fires. Throws `node-closed`. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>
  end(): void
}

interface Waiter {
  readonly version: Version
  readonly reached: AbortController
}

/** Milliseconds between reads after the version was reported, until a read shows it. */
const lagPause = 20

export class VersionWaiters {
  readonly #limit: number
  readonly #waiters = new Map<string, Set<Waiter>>()
  #count = 0
  #isClosed = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Throws `queue-full` (WAITERS-1). */
  register(name: string, version: Version): VersionWait {
    if (this.#count >= this.#limit) throw queueFull(this.#limit)
    this.#count++
    const waiter: Waiter = { version, reached: new AbortController() }
    if (this.#isClosed) waiter.reached.abort()
    const others = this.#waiters.get(name) ?? new Set()
    this.#waiters.set(name, others.add(waiter))
    return {
      wait: async (ms, signal) => {
        const { reached } = waiter
        if (this.#isClosed) throw nodeClosed(name, version)
        const signals = signal === undefined ? [] : [signal]
        if (reached.signal.aborted) await pause(Math.min(ms, lagPause), signal)
        else await pause(ms, AbortSignal.any([reached.signal, ...signals]))
        if (this.#isClosed) throw nodeClosed(name, version)
      },
      end: () => {
        if (!others.delete(waiter)) return
        this.#count--
        if (others.size === 0 && this.#waiters.get(name) === others)
          this.#waiters.delete(name)
      },
    }
  }

  /** Resolves the waits for this version of the actor or an earlier one. */
  onVersion(name: string, version: Version): void {
    for (const waiter of this.#waiters.get(name) ?? [])
      if (waiter.version <= version) waiter.reached.abort()
  }

  /** Ends all waits, now and later, with `node-closed`. */
  close(): void {
    this.#isClosed = true
    for (const all of this.#waiters.values())
      for (const { reached } of all) reached.abort()
  }
}

function nodeClosed(name: string, version: Version): CairnError {
  return new CairnError(
    'node-closed',
    `The node closed while a caller waited for version ${version} of ${name}: read it on another node.`,
    { details: { actor: name } },
  )
}

function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `${limit} readers wait for versions of actors on this node, its limit: read again later.`,
    { details: { limit } },
  )
}
