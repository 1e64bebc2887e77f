// A machine where it runs: as the actor itself, or as a child of the machine of another level.

import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { isMachine, logicOf } from './child-logic.js'
import { reviveRelatives, withNames } from './refs.js'
import { toSnapshot } from './snapshot.js'
import { Stepper } from './step.js'
import type { MachineState } from './types.js'

/** A machine at some depth, with its state. */
export interface LevelState {
  readonly level: Level
  readonly state: MachineState
}

export class Level {
  readonly machine: AnyStateMachine
  readonly stepper: Stepper
  /** What the machine knows as its parent, where it is a child. */
  readonly parent: AnyActorRef | undefined
  /** Whether its context may hold actors. */
  readonly #hasRelatives: boolean
  /** Whether no more than one state of each depth is ever there, and none is remembered. */
  readonly #isLinear: boolean
  readonly #children = new Map<AnyStateMachine, Level>()
  /** Snapshots of states that are in memory. */
  readonly #snapshots = new WeakMap<MachineState, AnyMachineSnapshot>()

  constructor(machine: AnyStateMachine, parent?: AnyActorRef) {
    this.machine = machine
    this.parent = parent
    const { actors } = machine.implementations as { readonly actors: object }
    this.#hasRelatives = parent !== undefined || Object.keys(actors).length > 0
    this.#isLinear = isLinear(machine.root)
    this.stepper = new Stepper(machine, parent)
  }

  /** What the machine knows as its own actor. */
  get self(): AnyActorRef {
    return this.stepper.scope.self
  }

  /** The level of a child; `undefined` where its logic is no machine. */
  child(src: string): Level | undefined {
    const logic = logicOf(this.machine, src)
    if (logic === undefined || !isMachine(logic)) return undefined
    const known = this.#children.get(logic)
    if (known !== undefined) return known
    const level = new Level(logic, this.self)
    this.#children.set(logic, level)
    return level
  }

  /** A state as data, with names for the actors that its context holds. */
  named(state: MachineState): MachineState {
    if (!this.#hasRelatives) return state
    const context = withNames(state.context as unknown, this)
    return context === state.context ? state : { ...state, context }
  }

  /** Who stands at the end of a path of children's ids; `undefined` where that is nobody. */
  at(state: MachineState, [id, ...rest]: readonly string[]): LevelState | undefined {
    if (id === undefined) return { level: this, state }
    const child = state.children?.[id]
    const level = child?.state && this.child(child.src)
    return level?.at(child!.state!, rest)
  }

  /**
   * A step has come to a state by this snapshot. Where nothing is left to the order of entering, and there are no
   * actors in it, it is what would be made of the state again (snapshot.ts), and that takes as long as the step.
   */
  reached(state: MachineState, snapshot: AnyMachineSnapshot): void {
    const isSame =
      this.#isLinear &&
      !this.#hasRelatives &&
      state.status === 'active' &&
      Object.keys(snapshot.children as object).length === 0
    if (isSame) this.#snapshots.set(state, snapshot)
  }

  /** XState's snapshot of a state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    const known = this.#snapshots.get(state)
    if (known !== undefined) return known
    const snapshot = toSnapshot(this.machine, state, this.stepper.scope)
    if (this.#hasRelatives) reviveRelatives(snapshot.context, this)
    this.#snapshots.set(state, snapshot)
    return snapshot
  }
}

interface StateNode {
  readonly type: string
  readonly states: Readonly<Record<string, StateNode>>
}

function isLinear({ type, states }: StateNode): boolean {
  return (
    type !== 'parallel' && type !== 'history' && Object.values(states).every(isLinear)
  )
}
