// The actors in memory: who may leave, and who has to.
//
// Owns every actor awake on this node.
// R1. An actor is busy (something waits or runs) or idle, and in exactly one of the two places.
// R2. Only idle ones are evicted, the least recently used first: a command in flight or in a
//     mailbox is never lost or interrupted by eviction, and no actor is in memory twice.
// R3. Busy and idle together are at most `max` and `bytesMax`, or as many as are busy. What an
//     actor takes is estimated when it becomes idle, and counts as that while it is busy again.
// R4. Who is dismissed was idle, or is as soon as it is idle, and is woken again by its next
//     command: nothing is lost.
// R5. The idle ones stand in the order in which they became idle: a map keeps that order, and who
//     becomes idle again stands at its end.

import type { Actor } from './actor.js'

interface Resident {
  readonly actor: Actor
  /** Estimated; 0 until it is idle for the first time. */
  bytes: number
  /** When it became idle, ms since 1970. */
  since: number
}

export class Residents {
  readonly #max: number
  readonly #bytesMax: number
  readonly #busy = new Map<string, Resident>()
  /** Least recently used first (R5). */
  readonly #idle = new Map<string, Resident>()
  /** Busy ones that are to go when they are idle (R4). */
  readonly #leaving = new Set<string>()
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

  /** Memory of all, estimated. */
  get bytes(): number {
    return this.#bytes
  }

  get busy(): number {
    return this.#busy.size
  }

  /** Actors that had to leave for others since the start. */
  get evictions(): number {
    return this.#evictions
  }

  /** Actors that were idle for too long, or are another node's now, since the start. */
  get dismissals(): number {
    return this.#dismissals
  }

  /** The actor, without any effect on its place. */
  find(name: string): Actor | undefined {
    return (this.#busy.get(name) ?? this.#idle.get(name))?.actor
  }

  /** The actor, busy from now on; `undefined` where it is not in memory. */
  engaged(name: string): Actor | undefined {
    const busy = this.#busy.get(name)
    if (busy !== undefined) return busy.actor
    const idle = this.#idle.get(name)
    if (idle === undefined) return undefined
    this.#idle.delete(name)
    this.#busy.set(name, idle)
    return idle.actor
  }

  /** Takes in an actor that was not in memory; it is busy from now on. */
  engage(actor: Actor): Actor {
    this.#busy.set(actor.name, { actor, bytes: 0, since: 0 })
    this.#trim()
    return actor
  }

  /** The actor has nothing left to do, from `now` on. */
  release(actor: Actor, now: number): void {
    const { name, bytes } = actor
    const resident = this.#busy.get(name)
    if (resident === undefined) return
    this.#busy.delete(name)
    if (this.#leaving.size > 0 && this.#leaving.delete(name)) {
      this.#bytes -= resident.bytes
      this.#dismissals++
      return
    }
    this.#bytes += bytes - resident.bytes
    resident.bytes = bytes
    resident.since = now
    this.#idle.set(name, resident)
    this.#trim()
  }

  /** R4: lets idle actors go that `goes` names. */
  dismiss(goes: (actor: Actor, idleSince: number) => boolean): void {
    for (const [name, { actor, since, bytes }] of this.#idle)
      if (goes(actor, since) && this.#idle.delete(name)) {
        this.#bytes -= bytes
        this.#dismissals++
      }
  }

  /** R4: the same whatever they are doing; who is busy goes afterwards. */
  dismissAll(goes: (actor: Actor) => boolean): void {
    this.dismiss(goes)
    this.#leaving.clear()
    for (const [name, { actor }] of this.#busy) if (goes(actor)) this.#leaving.add(name)
  }

  *all(): Generator<Actor> {
    for (const { actor } of this.#busy.values()) yield actor
    for (const { actor } of this.#idle.values()) yield actor
  }

  clear(): void {
    this.#busy.clear()
    this.#idle.clear()
    this.#leaving.clear()
    this.#bytes = 0
  }

  /** R3. */
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
