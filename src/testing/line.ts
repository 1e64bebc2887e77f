// The simulated connection of a node to everything outside, which a crash cuts.
//
// Owns whether the node is up, its requests in flight, and its listeners.
// TEST-LINE-1. Once the line is cut, no result returns: every pending call fails, whatever becomes of it elsewhere.
// TEST-LINE-2. A request in flight when the line is cut may still arrive.
// TEST-LINE-3. In a simulation, the seed chooses the moment of everything that arrives, there or back.

import { CairnError } from '../model/errors.js'
import type { Simulation } from './simulation.js'
import { raceSignal } from '../model/wait.js'
import type { Position } from '../model/version.js'

/** A subscription to notices, as the check of a cluster looks at it. */
export interface Listener {
  /** The last position it has passed, delivered or dropped. */
  readonly seen: Position
  /** Tells of what was dropped since the last delivery, as the next notice would. */
  tellGap(): void
}

export class Line {
  readonly nodeId: string
  readonly listeners = new Set<Listener>()
  readonly #simulation: Simulation | undefined
  readonly #down = new AbortController()
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(nodeId: string, simulation?: Simulation) {
    this.nodeId = nodeId
    this.#simulation = simulation
  }

  /** The moment at which something arrives (TEST-LINE-3); `undefined` outside a simulation: at once. */
  moment(what: string): Promise<void> | undefined {
    return this.#simulation?.moment(`${this.nodeId} ${what}`)
  }

  /** Fires when the line is cut. */
  get down(): AbortSignal {
    return this.#down.signal
  }

  get isDown(): boolean {
    return this.#down.signal.aborted
  }

  cut(): void {
    this.#down.abort(`node ${this.nodeId} has crashed`)
    this.listeners.clear()
  }

  /** Throws when the line is cut. */
  check(): void {
    if (this.isDown)
      throw new CairnError(
        'store-closed',
        `Node ${this.nodeId} has crashed: it reaches nothing any more.`,
      )
  }

  /** What `work` comes to, unless the line is cut before (TEST-LINE-1). */
  async up<T>(what: string, work: Promise<T>): Promise<T> {
    const result = await raceSignal(
      this.#simulation === undefined ? work : this.#back(what, work),
      this.#down.signal,
    )
    this.check()
    return result as T
  }

  /** Every item, until the line is cut. */
  async *each<T>(what: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    this.check()
    for await (const item of items) {
      await this.moment(what)
      this.check()
      yield item
    }
    this.check()
  }

  async #back<T>(what: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } finally {
      await this.moment(what)
    }
  }

  /** Lets work go on that nobody waits for: it may fail, as what is lost on its way does. */
  underWay(work: Promise<unknown>): void {
    const over = () => void this.#underWay.delete(ended)
    const ended: Promise<unknown> = work.then(over, over)
    this.#underWay.add(ended)
  }

  /** Resolves when nothing is on its way any more. */
  async quiet(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }
}

/** Lets the event loop turn, and so everything else go on, until it is over or has turned often. */
export async function turn(times = 1, isOver = () => false): Promise<void> {
  for (let i = 0; i < times && !isOver(); i++)
    await new Promise(resolve => setImmediate(resolve))
}
