// Injects faults until a deadline, one or two at a time, and has the system prove after each that it works again.
//
// After each round nothing is left of a fault, also if it failed: processes run, with their lines and clocks restored,
// as many as before; servers are up; the disk has space.

import { type Random, randomFrom } from '../../../src/testing/random.js'
import { type Moment, now } from '../history.js'
import { type Crew, crewOf, restoreCrew } from './crew.js'
import { freeDisk } from './disk.js'
import { between, chance, shuffle } from './draws.js'
import type { Fault, FaultContext } from './fault.js'
import { allFaults } from './faults.js'
import { bringUp } from './server.js'

export interface NemesisOptions {
  readonly context: FaultContext
  readonly random: Random
  /** No fault begins after it. Or the context's signal ends it. */
  readonly until: Moment
  /** Resolves when the system works; rejects after a deadline of its own. */
  readonly probe: () => Promise<void>
  /** Default: all. */
  readonly faults?: readonly Fault[]
  /** Is told of what failed: a fault, or a probe. Default: standard error. */
  readonly report?: (text: string) => void
}

export interface NemesisResult {
  /** How often each fault was injected. */
  readonly injected: ReadonlyMap<string, number>
  /** Faults that failed, for example because a host could not be started again. */
  readonly failed: number
  /** Rounds after which the probe failed. */
  readonly unrecovered: number
}

/** `after` of a probe that failed. */
export const never = 1e9

export async function runNemesis(options: NemesisOptions): Promise<NemesisResult> {
  const { context, random, until, report = console.error } = options
  const { place, signal } = context
  const faults = (options.faults ?? allFaults).filter(({ places }) =>
    places.includes(place.place),
  )
  const crew = crewOf(context)
  const deck = new Deck(faults, random)
  const injected = new Map<string, number>()
  let failed = 0
  let unrecovered = 0

  const note = (fault: string, phase: 'healed' | 'recovered', after?: number) => {
    const what = { fault, target: 'all', phase, ...(after !== undefined && { after }) }
    context.journal.write({ kind: 'fault', ...what })
  }

  const recover = async (fault: string, failures: readonly string[] = []) => {
    failed += failures.length
    if (!(await attempt(() => healAll(context, crew), `healing ${fault}`, report)))
      failed++
    for (const name of failures) note(name, 'healed')
    const since = now()
    const works = await attempt(options.probe, `the probe after ${fault}`, report)
    if (!works) unrecovered++
    note(fault, 'recovered', works ? now() - since : never)
  }

  while (now() < until && !signal.aborted) {
    const mix = deck.draw(context, chance(random, 1 / 3) ? 2 : 1)
    const names = mix.map(({ name }) => name).join(' + ')
    // Each has a stream of its own: who draws first is a matter of time.
    const injections = mix.map(async (fault, i) => {
      const own = randomFrom(Math.floor(random() * 2 ** 31), fault.name)
      if (i > 0) await context.hold(between(own, 0, 2_000))
      // The other fault may have ended all it needs.
      if (fault.isPossible?.(context) === false) return true
      injected.set(fault.name, (injected.get(fault.name) ?? 0) + 1)
      return attempt(() => fault.inject(context, own), fault.name, report)
    })
    const successes = await Promise.all(injections)
    const failing = mix.filter((_, i) => !successes[i]).map(({ name }) => name)
    await recover(names, failing)
    await context.hold(between(random, 300, 3_000))
  }
  await recover('the last one')
  return { injected, failed, unrecovered }
}

/** Whether it succeeded. */
async function attempt(
  work: () => Promise<void>,
  name: string,
  report: (text: string) => void,
): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    report(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`)
    return false
  }
}

/** Undoes every fault there is, whoever injected it. */
export async function healAll(context: FaultContext, crew: Crew): Promise<void> {
  const { place, processes } = context
  processes.heal()
  await freeDisk(place)
  await Promise.all(place.servers.map(bringUp))
  await restoreCrew(context, crew)
}

/** Each fault comes once before one comes again. */
class Deck {
  readonly #faults: readonly Fault[]
  readonly #random: Random
  #left: Fault[] = []

  constructor(faults: readonly Fault[], random: Random) {
    this.#faults = faults
    this.#random = random
  }

  /** Up to `count` different faults that are possible now. */
  draw(context: FaultContext, count: number): Fault[] {
    const isPossible = (fault: Fault) => fault.isPossible?.(context) ?? true
    const drawn: Fault[] = []
    while (drawn.length < count) {
      const suits = (fault: Fault) => isPossible(fault) && !drawn.includes(fault)
      if (!this.#left.some(suits)) this.#left = shuffle(this.#random, this.#faults)
      const next = this.#left.find(suits)
      if (next === undefined) break
      this.#left = this.#left.filter(fault => fault !== next)
      drawn.push(next)
    }
    return drawn
  }
}
