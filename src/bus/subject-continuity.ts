// Finds out whether notices were missed, of a subscription that gets those of some actors only: their positions are not
// dense. The server says with each notice where the one before it on the same subject is.
//
// Owns the last positions that were seen, by actor.
// SUBJECT-CONTINUITY-1. A notice was missed if the predecessor of another one is after the first position that was seen, and
//     was not seen itself.
// SUBJECT-CONTINUITY-2. At most `actorsMax` actors are remembered. What is forgotten is before the position from which on all
//     is remembered: it is not taken for missed.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Position } from '../model/version.js'

const actorsMax = 10_000

export class SubjectContinuity {
  /** Oldest first. */
  readonly #seen = new Map<string, Position>()
  /** All notices at this position and later ones are remembered. */
  #since: Position | undefined
  #last: Position = 0

  /**
   * Whether the notice continues what was seen.
   *
   * @param previous the position of the actor's notice before it, 0 for none; `undefined` if that is not known
   */
  continues(
    actor: ActorAddress,
    position: Position,
    previous: Position | undefined,
  ): boolean {
    const key = formatAddress(actor)
    const known = this.#seen.get(key)
    // A position that goes back: the stream was replaced, or the notice is forged.
    const isAhead = position > this.#last
    const hasSeenPrevious =
      previous === undefined ||
      previous === known ||
      // Before all that is remembered; or it was removed from the log.
      (known === undefined && (this.#since === undefined || previous < this.#since))
    this.#since ??= position
    this.#last = position
    this.#seen.delete(key)
    this.#seen.set(key, position)
    if (this.#seen.size > actorsMax) {
      const [oldest] = this.#seen
      this.#seen.delete(oldest![0])
      this.#since = Math.max(this.#since, oldest![1] + 1)
    }
    return isAhead && hasSeenPrevious
  }

  /** Nothing is known any more. */
  clear(): void {
    this.#seen.clear()
    this.#since = undefined
    this.#last = 0
  }
}
