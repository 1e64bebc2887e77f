// The watches of a node: the actors that are watched on it, and what tells them of new commits.
//
// Owns the table of watched actors. There is no subscription for a watcher: the node's one subscription serves all.
// WATCHES-1. An actor is in the table as long as somebody watches it with the same behavior.
// WATCHES-2. While something is watched, the last position of the log is read every `checkEvery` ms, once for all. If
//     no notice has reported it by the next check, one was lost, and every watched actor is read. So a lost notice that
//     nothing follows delays an event by twice this time.
// WATCHES-3. At most `readsMax` watched actors are read at a time; the others wait.

import { storedCommit } from '../codec/envelope.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { Semaphore } from '../model/semaphore.js'
import type { Position, Version } from '../model/version.js'
import { nextCommit } from '../store/event-store/append.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { FoldContext } from './fold.js'
import { type SkipsNow, WatchedActor, type WatchPorts } from './watched-actor.js'

export interface WatchesStats {
  /** Loops that watch an actor now. */
  readonly watchers: number
  /** The actors that they watch. */
  readonly actors: number
  /** Events that are held for loops that have not taken them yet. */
  readonly held: number
  /** Reads of watched actors since the start, without those of loops that were behind. */
  readonly reads: number
}

/** WATCHES-2. Milliseconds. */
const checkEvery = 2_500
/** WATCHES-3. */
const readsMax = 64

type WatchStore = WatchPorts['store']

export class Watches {
  readonly store: WatchStore
  readonly #ports: WatchPorts
  /** By name; one for each behavior, since references may be made with different definitions. */
  readonly #actors = new Map<string, Map<FoldContext['behavior'], WatchedActor>>()
  #timer: NodeJS.Timeout | undefined
  /** The last position that a notice has reported. */
  #reported: Position = 0
  /** The last position at the time of the last check. */
  #last: Position = 0
  #isClosed = false

  /** @param isLost whether the store will never be reachable again */
  constructor(store: WatchStore, isLost: () => boolean = () => false) {
    this.store = store
    const reads = new Semaphore(readsMax)
    this.#ports = {
      store,
      isLost,
      read: (work, signal, doing) => reads.run(work, signal, doing),
      held: { steps: 0 },
      reads: { count: 0 },
    }
  }

  /** The watched actor; the caller joins it at once. */
  of<State>(context: FoldContext<State>, skipsNow: SkipsNow): WatchedActor<State> {
    const name = formatAddress(context.actor)
    const all = this.#actors.get(name) ?? new Map()
    const known = all.get(context.behavior)
    if (known !== undefined) return known
    const watched = new WatchedActor(context, skipsNow, this.#ports, () => {
      all.delete(context.behavior)
      if (all.size === 0 && this.#actors.get(name) === all) this.#actors.delete(name)
      if (this.#actors.size === 0) this.#stopChecking()
    })
    this.#actors.set(name, all.set(context.behavior, watched))
    if (!this.#isClosed) this.#timer ??= this.#startChecking()
    return watched
  }

  /** Handles a notice. */
  onCommit(actor: ActorAddress, version: Version, position: Position): void {
    this.#reported = Math.max(this.#reported, position)
    if (this.#actors.size === 0) return
    for (const watched of this.#find(actor)) watched.onCommit(version)
  }

  /** Notices may have been missed. */
  doubt(): void {
    for (const all of this.#actors.values())
      for (const watched of all.values()) watched.doubt()
  }

  /** The same store; what is appended to watched actors need not be read (WATCHED-ACTOR-1). */
  tap<Store extends Pick<EventStore, 'append'>>(
    store: Store,
    nodeId: string,
  ): Store['append'] {
    return (actor, events, options = {}) => {
      if (this.#actors.size === 0) return store.append(actor, events, options)
      const watched = [...this.#find(actor)]
      if (watched.length === 0) return store.append(actor, events, options)
      const ends = watched.map(one => one.appending())
      return store.append(actor, events, options).then(
        result => {
          let stored
          if (result.ok) {
            const { firstVersion, commitId, position } = result
            const commit = nextCommit(nodeId, actor, firstVersion - 1, events, options)
            stored = storedCommit({ ...commit, id: commitId }, position)
          }
          for (const end of ends) end(stored)
          return result
        },
        (error: unknown) => {
          for (const end of ends) end(undefined)
          throw error
        },
      )
    }
  }

  stats(): WatchesStats {
    let watchers = 0
    let actors = 0
    for (const all of this.#actors.values())
      for (const watched of all.values()) {
        actors++
        watchers += watched.watchers
      }
    const { held, reads } = this.#ports
    return { watchers, actors, held: held.steps, reads: reads.count }
  }

  /** Ends every loop. */
  close(): void {
    this.#isClosed = true
    this.#stopChecking()
    const closed = new CairnError('store-closed', 'The node was closed.')
    for (const all of this.#actors.values())
      for (const watched of all.values()) watched.fail(closed)
  }

  *#find(actor: ActorAddress): Iterable<WatchedActor> {
    const all = this.#actors.get(formatAddress(actor))
    if (all !== undefined) yield* all.values()
  }

  #startChecking(): NodeJS.Timeout {
    const timer = setInterval(() => void this.#check(), checkEvery)
    timer.unref()
    return timer
  }

  #stopChecking(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** WATCHES-2. */
  async #check(): Promise<void> {
    const isOneLost = this.#last > this.#reported
    if (isOneLost) this.#reported = this.#last
    try {
      this.#last = await this.store.lastPosition()
    } catch {
      // The store is away: a connection that is made again casts doubt on everything.
      this.#last = this.#reported
    }
    // It is smaller after a restore: positions begin again.
    const isReplaced = this.#last < this.#reported
    if (isReplaced) this.#reported = this.#last
    if (isOneLost || isReplaced) this.doubt()
  }
}
