// Whether the notices that have arrived reach the end of the log.
//
// Owns the last position that a notice has reported.
// CAUGHT-UP-1. After an interruption, missed notices never arrive: the end that is read next counts as heard, since from
//     then on all later notices arrive, and caches are unverified until they are read again.
// CAUGHT-UP-2. A record that is no commit has no notice. An end that neither moves nor is heard of between two checks is
//     such a record, and counts as heard.

import type { Position } from '../model/version.js'

export class CaughtUp {
  #heard: Position = 0
  /** CAUGHT-UP-1: true until the first check, too. */
  #isInterrupted = true
  /** What the last check has found, where it was behind. */
  #behind: { readonly heard: Position; readonly end: Position } | undefined

  onNotice(position: Position): void {
    if (position > this.#heard) this.#heard = position
  }

  onInterrupted(): void {
    this.#isInterrupted = true
  }

  hasHeard(end: Position): boolean {
    return this.#heard >= end
  }

  /** The number of positions up to `end` that no notice has reported yet. */
  behind(end: Position): number {
    const heard = this.#heard
    const isStill = this.#behind?.heard === heard && this.#behind.end === end
    if (this.#isInterrupted || isStill) {
      this.#isInterrupted = false
      this.onNotice(end)
    }
    this.#behind = this.#heard < end ? { heard, end } : undefined
    return Math.max(0, end - this.#heard)
  }
}
