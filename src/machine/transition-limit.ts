// The limit on the transitions that one command may cause.
//
// XState takes `always` transitions and raised events until none is left; a loop of them would never return, and would
// stop every node that folds it, one after the other.
// Owns the counts of one tree of machines: the actor's machine and its child machines.
// TRANSITION-LIMIT-1. The limit holds wherever machines are stepped: while a command is decided, and while a stored event
//     is folded. One count starts again with each step of a machine, one with each command and each stored event.
// TRANSITION-LIMIT-2. An exceeded limit ends the whole step. No machine can catch the error, and no child fails by it.

import type { AnyMachineSnapshot, AnyStateMachine, InspectionEvent } from 'xstate'

import { show } from '../model/show.js'

/** Transitions in one step of a machine, at most, unless it sets `maxIterations`. */
export const transitionsMax = 5_000
/** Transitions for one command, of all machines together. */
const commandTransitionsMax = 50_000

/** Transitions that are kept to name a loop. */
const keptMax = 64
/** States of a loop that its error names. */
const namedMax = 6

/** One transition: the state that it led to, and what it was taken for. */
interface Taken {
  readonly snapshot: AnyMachineSnapshot
  readonly cause: string
}

/** The machine does not come to rest. */
export class EndlessTransitions extends Error {
  override readonly name = 'EndlessTransitions'
}

type System = { inspect(observer: (event: InspectionEvent) => void): unknown }

export class TransitionLimit {
  #max = transitionsMax
  #commandMax = commandTransitionsMax
  /** Where keeping starts: before the lowest limit. */
  #keepFrom = transitionsMax - keptMax
  /** In this step. */
  #count = 0
  /** For this command, before this step. */
  #countBefore = 0
  #kept: Taken[] = []
  #exceeded: EndlessTransitions | undefined

  /** Adds a machine to the tree. */
  include({ options: { maxIterations } }: AnyStateMachine): void {
    if (maxIterations === undefined || !Number.isFinite(maxIterations)) return
    this.#max = Math.max(this.#max, maxIterations)
    this.#commandMax = Math.max(this.#commandMax, maxIterations)
    this.#keepFrom = Math.min(this.#keepFrom, maxIterations - keptMax)
  }

  /** Counts the transitions of every machine in an XState system. */
  watch(system: System): void {
    system.inspect(event => {
      if (event.type !== '@xstate.microstep') return
      const { snapshot, _transitions: transitions } = event
      const isAlways = transitions[0]?.eventType === ''
      this.#take({
        snapshot: snapshot as AnyMachineSnapshot,
        cause: isAlways ? 'always' : event.event.type,
      })
    })
  }

  /** A new command, or a new stored event (TRANSITION-LIMIT-1). */
  reset(): void {
    this.#count = this.#countBefore = 0
    this.#kept = []
    this.#exceeded = undefined
  }

  /** A machine's next step. */
  nextStep(): void {
    this.#countBefore += this.#count
    this.#count = 0
    this.#kept = []
  }

  /** Throws if the limit was exceeded, also where XState has caught the error (TRANSITION-LIMIT-2). */
  check(): void {
    if (this.#exceeded !== undefined) throw this.#exceeded
  }

  /** The error for one of XState's: its own, where the machine's `maxIterations` was exceeded. */
  explain(error: unknown): unknown {
    const isOwn =
      error instanceof Error &&
      !(error instanceof EndlessTransitions) &&
      error.message.startsWith('Infinite loop detected')
    const last = this.#kept.at(-1)
    if (!isOwn || last === undefined) return error
    return (this.#exceeded = endless(
      this.#kept,
      last.snapshot.machine.options.maxIterations!,
    ))
  }

  #take(taken: Taken): void {
    this.check()
    const left = this.#commandMax - this.#countBefore
    if (++this.#count <= Math.min(this.#keepFrom, left - keptMax)) return
    this.#kept.push(taken)
    if (this.#kept.length > keptMax) this.#kept.shift()
    if (this.#count <= Math.min(this.#max, left)) return
    this.#exceeded = endless(this.#kept, left < this.#max ? this.#commandMax : this.#max)
    throw this.#exceeded
  }
}

function endless(kept: readonly Taken[], max: number): EndlessTransitions {
  const { machine, value } = kept.at(-1)!.snapshot
  return new EndlessTransitions(
    `machine ${machine.id} does not come to rest in state ${JSON.stringify(value)}: one command has led to more than ` +
      `${max.toLocaleString('en')} transitions, at last ${pathOf(kept)}. Let the loop end; a machine that needs more ` +
      'transitions sets options: { maxIterations }',
  )
}

/** The loop that the last transitions are in; the last few of them when they are in none. */
function pathOf(kept: readonly Taken[]): string {
  const states = kept.map(({ snapshot }) => JSON.stringify(snapshot.value))
  const last = states.length - 1
  const before = states.lastIndexOf(states[last]!, last - 1)
  const length = before < 0 ? namedMax : last - before
  const from = Math.max(0, last - length)
  const hops = kept
    .slice(from + 1, from + 1 + namedMax)
    .map(({ cause }, i) => `${states[from + 1 + i]!} (${causeText(cause)})`)
  if (length > namedMax) hops.push('…')
  return [states[from]!, ...hops].join(' → ')
}

function causeText(cause: string): string {
  return cause === 'always' ? cause : `on ${show(cause)}`
}
