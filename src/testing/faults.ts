// Faults: what goes wrong, how often, and for whom. `faulty(backend, faults)` lets it happen.
//
// Owns the settings, the random streams and the count of what happened.
// F1. Every decision is drawn from a stream of its own kind and node, begun from the seed: what
//     one node draws does not shift what another gets.
// F2. A fault stays within what a port's contract allows: what it does can happen anywhere.

import { setMaxListeners } from 'node:events'

import { CairnError } from '../model/errors.js'
import { checkCount } from '../model/version.js'
import { Line } from './line.js'
import type { Simulation } from './simulation.js'
import { newSeed, type Random, randomFrom } from './random.js'
import { Topology } from './topology.js'

export type FaultKind =
  'dropNotices' | 'delayAppends' | 'failAppends' | 'duplicateRequests'

export interface FaultCounts {
  readonly crashes: number
  readonly partitions: number
  readonly noticesDropped: number
  readonly appendsDelayed: number
  readonly appendsFailed: number
  readonly requestsDuplicated: number
  /** Requests whose way was cut before their answer came. */
  readonly requestsLost: number
}

export interface FaultsOptions {
  /** Repeats the draws of a run of the same seed. Default: a new one. */
  readonly seed?: number
}

/** How far an append, or the second copy of a request, is held back at most: turns of the event loop. */
export const turnsDefault = 20

export class Faults {
  readonly seed: number
  /** Chooses when what passes arrives. Set before the first node starts. @internal */
  simulation: Simulation | undefined
  readonly #topology = new Topology()
  readonly #probabilities = new Map<FaultKind, number>()
  readonly #streams = new Map<string, Random>()
  readonly #lines = new Map<string, Line>()
  readonly #counts: { -readonly [Name in keyof FaultCounts]: number } = {
    crashes: 0,
    partitions: 0,
    noticesDropped: 0,
    appendsDelayed: 0,
    appendsFailed: 0,
    requestsDuplicated: 0,
    requestsLost: 0,
  }
  #turns = turnsDefault

  constructor({ seed = newSeed() }: FaultsOptions = {}) {
    this.seed = checkCount('seed', seed)
  }

  /** Notices are lost with this probability, each for one listener; the next one tells of the gap. */
  dropNotices(probability: number): void {
    this.#set('dropNotices', probability)
  }

  /**
   * Appends are held back with this probability, for up to `turns` turns of the event loop
   * (default 20): others get ahead of them. Turns and not milliseconds, so that a seed repeats it.
   */
  delayAppends(probability: number, { turns = turnsDefault } = {}): void {
    this.#turns = checkCount('turns', turns)
    this.#set('delayAppends', probability)
  }

  /**
   * Appends end in `outcome-unknown` with this probability: a third of them is stored, a third
   * is not, and a third reaches the store later, if it is still at the expected version then.
   */
  failAppends(probability: number): void {
    this.#set('failAppends', probability)
  }

  /** Requests between nodes come twice with this probability, the second one perhaps later. */
  duplicateRequests(probability: number): void {
    this.#set('duplicateRequests', probability)
  }

  /** Sets every probability to 0. What is cut or crashed stays so. */
  calm(): void {
    this.#probabilities.clear()
  }

  /**
   * Requests between nodes of different sides are lost, and they do not see each other as
   * members; the store stays shared, so an actor may have an owner on each side.
   */
  partition(...sides: readonly (readonly string[])[]): void {
    this.#topology.partition(sides)
    this.#counts.partitions++
  }

  /** Ends the partition. */
  heal(): void {
    this.#topology.heal()
  }

  /**
   * The node is gone: nothing it does takes effect any more, but what is on its way to the
   * store, which may. Closing the node afterwards, to free what it holds, is left to the caller.
   */
  crash(nodeId: string): void {
    if (this.#topology.hasCrashed(nodeId)) return
    this.#topology.crash(nodeId)
    this.#counts.crashes++
    this.line(nodeId).cut()
  }

  counts(): FaultCounts {
    return { ...this.#counts }
  }

  /** @internal */
  get topology(): Topology {
    return this.#topology
  }

  /** The node's connection to the outside. @internal */
  line(nodeId: string): Line {
    const known = this.#lines.get(nodeId)
    if (known !== undefined) return known
    const line = new Line(nodeId, this.simulation)
    // Everything the node waits for listens to it; each ends by itself.
    setMaxListeners(0, line.down)
    this.#lines.set(nodeId, line)
    return line
  }

  /** Whether a fault happens now, to this node. @internal */
  happens(kind: FaultKind, nodeId: string): boolean {
    const probability = this.#probabilities.get(kind) ?? 0
    return probability > 0 && this.draw(kind, nodeId) < probability
  }

  /** From 0 up to, and without, 1. @internal */
  draw(purpose: string, nodeId: string): number {
    const name = `${purpose} ${nodeId}`
    let stream = this.#streams.get(name)
    if (stream === undefined) {
      stream = randomFrom(this.seed, name)
      this.#streams.set(name, stream)
    }
    return stream()
  }

  /** For how many turns something is held back. @internal */
  turns(nodeId: string): number {
    return Math.floor(this.draw('turns', nodeId) * (this.#turns + 1))
  }

  /** @internal */
  count(name: keyof FaultCounts): void {
    this.#counts[name]++
  }

  #set(kind: FaultKind, probability: number): void {
    if (!(probability >= 0 && probability <= 1))
      throw new CairnError(
        'invalid-option',
        `The probability of ${kind} is ${probability}: use a number from 0 to 1.`,
      )
    this.#probabilities.set(kind, probability)
  }
}
