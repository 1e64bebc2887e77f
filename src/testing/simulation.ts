// A simulation: nodes whose messages, timers, ids and random numbers a seed repeats.
//
// Owns a world of its own: what runs within it shares nothing with another one but the process.

import { randomFrom, type Random } from './random.js'
import { Scheduler, type Step } from './scheduler.js'
import {
  replaceGlobals,
  restoreGlobals,
  within,
  type World,
} from './simulated-globals.js'

export interface SimulationOptions {
  readonly seed: number
  /** Called at each step, in their order. */
  readonly onStep?: ((step: Step) => void) | undefined
}

export class Simulation {
  readonly #scheduler: Scheduler
  readonly #world: World

  constructor({ seed, onStep }: SimulationOptions) {
    const ids = randomFrom(seed, 'ids')
    this.#scheduler = new Scheduler(randomFrom(seed, 'order'), onStep)
    this.#world = {
      scheduler: this.#scheduler,
      random: randomFrom(seed, 'random'),
      newId: () => idFrom(ids),
    }
    replaceGlobals()
  }

  /** Runs the work, and all that follows from it, within the simulation. */
  within<T>(work: () => T): T {
    return within(this.#world, work)
  }

  /** As `within`; while the work runs, time passes at once where there is nothing to do. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.within(() => this.#scheduler.skipping(work))
  }

  /** Resolves at a moment that the seed chooses. */
  moment(what: string): Promise<void> {
    return this.#scheduler.moment(what)
  }

  /**
   * An object whose methods run within the simulation, from wherever they are called, and the
   * iterators that they return as well.
   */
  inside<T extends object>(object: T): T {
    return new Proxy(object, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const result: unknown = this.within(() => Reflect.apply(value, target, args))
          return isIterator(result) ? this.inside(result) : result
        }
      },
    })
  }

  end(): void {
    this.#scheduler.end()
    restoreGlobals()
  }
}

function isIterator(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

/** An id in the form of a UUID of version 4. */
function idFrom(random: Random): string {
  const hex = (digits: number) =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, '0')
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(4)}${hex(8)}`
}
