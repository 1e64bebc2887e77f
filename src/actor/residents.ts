// The residents: the actors in memory on this node. Decides which of them are evicted or dismissed.
//
// Owns the table of residents.
// RESIDENTS-1. An actor is busy (a call waits or runs) or idle, and in exactly one of the two maps.
// RESIDENTS-2. Only idle actors are evicted, the least recently used first. So eviction never loses or
//     interrupts a command in a mailbox or in progress, and no actor is in memory twice.
// RESIDENTS-3. All residents together are at most `max` and `bytesMax`, unless the busy ones alone exceed
//     that. The memory of an actor is estimated when it becomes idle; the estimate holds while it is busy again.
// RESIDENTS-4. A dismissed actor leaves at once if it is idle, otherwise as soon as it is. Its next command
//     wakes it again, so nothing is lost.
// RESIDENTS-5. The map of idle actors is in the order in which they became idle. An actor that becomes
//     idle again is last.

import type { Actor } from './actor.js'

interface Resident {
  readonly actor: Actor
  /** Estimated; 0 until it is idle for the first time. */
  bytes: number
  /** When the actor became idle, ms since 1970. */
  idleSince: number
}

export class Residents {
  readonly #max: number
  readonly #bytesMax: number
  readonly #busy = new Map<string, Resident>()
  /** Least recently used first (RESIDENTS-5). */
  readonly #idle = new Map<string, Resident>()
  /** Busy actors to dismiss when they are idle (RESIDENTS-4). */
  readonly #toDismiss = new Set<string>()
  #bytes = 0
  #evictions = 0
  #dismissals = 0

  constructor(max: number, bytesMax: number) {
    this.#max = max
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#busy.size + this.#idle.size
  }

  /** Estimated memory of all residents. */
  get bytes(): number {
    return this.#bytes
  }

  get busy(): number {
    return this.#busy.size
  }

  /** Actors evicted by the limits since the start. */
  get evictions(): number {
    return this.#evictions
  }

  /** Actors dismissed since the start: idle for too long, or now owned by another node. */
  get dismissals(): number {
    return this.#dismissals
  }

  /** The resident of this name. Does not mark it busy. */
  find(name: string): Actor | undefined {
    return (this.#busy.get(name) ?? this.#idle.get(name))?.actor
  }

  /** Marks a resident busy and returns it; `undefined` if it is not in memory. */
  markBusy(name: string): Actor | undefined {
    const busy = this.#busy.get(name)
    if (busy !== undefined) return busy.actor
    const idle = this.#idle.get(name)
    if (idle === undefined) return undefined
    this.#idle.delete(name)
    this.#busy.set(name, idle)
    return idle.actor
  }

  /** Adds an actor that was not in memory, as busy. */
  addBusy(actor: Actor): Actor {
    this.#busy.set(actor.name, { actor, bytes: 0, idleSince: 0 })
    this.#trim()
    return actor
  }

  /** Marks a resident idle since `now`. */
  markIdle(actor: Actor, now: number): void {
    const { name, bytes } = actor
    const resident = this.#busy.get(name)
    if (resident === undefined) return
    this.#busy.delete(name)
    if (this.#toDismiss.size > 0 && this.#toDismiss.delete(name)) {
      this.#bytes -= resident.bytes
      this.#dismissals++
      return
    }
    this.#bytes += bytes - resident.bytes
    resident.bytes = bytes
    resident.idleSince = now
    this.#idle.set(name, resident)
    this.#trim()
  }

  /** RESIDENTS-4: dismisses the idle actors that match. */
  dismiss(matches: (actor: Actor, idleSince: number) => boolean): void {
    for (const [name, { actor, idleSince, bytes }] of this.#idle)
      if (matches(actor, idleSince) && this.#idle.delete(name)) {
        this.#bytes -= bytes
        this.#dismissals++
      }
  }

  /** RESIDENTS-4: dismisses all actors that match; the busy ones when they become idle. */
  dismissAll(matches: (actor: Actor) => boolean): void {
    this.dismiss(matches)
    this.#toDismiss.clear()
    for (const [name, { actor }] of this.#busy)
      if (matches(actor)) this.#toDismiss.add(name)
  }

  /** The most recently used first. */
  recent(max: number): readonly Actor[] {
    const all = [...this.#idle.values(), ...this.#busy.values()]
    return all
      .slice(-max)
      .map(({ actor }) => actor)
      .toReversed()
  }

  *all(): Generator<Actor> {
    for (const { actor } of this.#busy.values()) yield actor
    for (const { actor } of this.#idle.values()) yield actor
  }

  clear(): void {
    this.#busy.clear()
    this.#idle.clear()
    this.#toDismiss.clear()
    this.#bytes = 0
  }

  /** RESIDENTS-3. */
  #trim(): void {
    while (this.size > this.#max || this.#bytes > this.#bytesMax) {
      const [oldest] = this.#idle.values()
      if (oldest === undefined) return
      this.#idle.delete(oldest.actor.name)
      this.#bytes -= oldest.bytes
      this.#evictions++
    }
  }
}
