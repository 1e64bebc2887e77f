// The global timers, clocks and random numbers, as code within a simulation gets them.
//
// A simulation replaces them in place of passing its own to each part of a node: so it covers all code that runs in it,
// also that of actors and libraries, and costs a node in production nothing. Which simulation code belongs to follows
// from the call that led to it. Code that belongs to none gets the system's.
//
// Owns the replaced globals; they are as before when the last simulation has ended.

import { AsyncLocalStorage } from 'node:async_hooks'
import { promisify } from 'node:util'

import { setIdSource } from '../model/id.js'
import type { Random } from './random.js'
import { type Scheduler, SimulatedTimer } from './scheduler.js'

/** What code within a simulation gets. */
export interface World {
  readonly scheduler: Scheduler
  readonly random: Random
  readonly newId: () => string
}

type Callback = (...args: unknown[]) => void

const worlds = new AsyncLocalStorage<World>()
let count = 0
let restore = () => {}

/** Runs the work, and all that follows from it, within a world. */
export function within<T>(world: World, work: () => T): T {
  return worlds.run(world, work)
}

export function replaceGlobals(): void {
  if (count++ === 0) restore = replaced()
}

export function restoreGlobals(): void {
  if (--count === 0) restore()
}

/** The world of the code that calls. */
function here(): World | undefined {
  const world = worlds.getStore()
  return world === undefined || world.scheduler.isEnded ? undefined : world
}

/** Replaces the globals; the returned function puts them back. */
function replaced(): () => void {
  const system = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    setImmediate: globalThis.setImmediate,
    clearImmediate: globalThis.clearImmediate,
  }
  const dateNow = Date.now
  const random = Math.random
  const timeNow = performance.now
  const timer =
    (real: Callback, isRepeated: boolean) =>
    (work: Callback, ms: number, ...args: unknown[]) =>
      here()?.scheduler.after(ms, () => work(...args), isRepeated) ??
      real(work, ms, ...args)
  const clear = (real: Callback) => (handle: unknown) => {
    if (handle instanceof SimulatedTimer) handle.clear()
    else if (handle instanceof SimulatedImmediate) handle.clear()
    else real(handle)
  }
  const immediate = (work: Callback, ...args: unknown[]) => {
    const world = here()
    if (world === undefined) return system.setImmediate(work, ...args)
    return new SimulatedImmediate(world.scheduler.soon('immediate', () => work(...args)))
  }
  const replacements: Record<keyof typeof system, unknown> = {
    setTimeout: timer(system.setTimeout as Callback, false),
    setInterval: timer(system.setInterval as Callback, true),
    clearTimeout: clear(system.clearTimeout as Callback),
    clearInterval: clear(system.clearInterval as Callback),
    setImmediate: immediate,
    clearImmediate: clear(system.clearImmediate as Callback),
  }
  Object.assign(replacements.setTimeout as object, {
    [promisify.custom]: promised(system.setTimeout, (resolve, ms, value) =>
      setTimeout(resolve, ms as number, value),
    ),
  })
  Object.assign(replacements.setImmediate as object, {
    [promisify.custom]: promised(system.setImmediate, (resolve, value) =>
      setImmediate(resolve, value),
    ),
  })
  Object.assign(globalThis, replacements)
  Date.now = () => Math.floor(here()?.scheduler.now ?? dateNow())
  Math.random = () => (here()?.random ?? random)()
  performance.now = () => here()?.scheduler.now ?? timeNow.call(performance)
  setIdSource(() => here()?.newId())
  return () => {
    Object.assign(globalThis, system)
    Date.now = dateNow
    Math.random = random
    performance.now = timeNow
    setIdSource(undefined)
  }
}

/** What `promisify` makes of a timer. */
function promised(
  real: typeof setTimeout | typeof setImmediate,
  simulate: (resolve: Callback, ...args: unknown[]) => unknown,
) {
  const system: (...args: never[]) => Promise<unknown> = promisify(real)
  return (...args: unknown[]) =>
    here() === undefined
      ? system(...(args as never[]))
      : new Promise<unknown>(resolve => void simulate(resolve, ...args))
}

/** What the simulated `setImmediate` returns. */
class SimulatedImmediate {
  readonly clear: () => void

  constructor(clear: () => void) {
    this.clear = clear
  }
}
