// One machine in the tree of machines: the actor's own, or a child machine.
//
// Owns the stepper of its machine, and the snapshots of states that are in memory.

import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine } from 'xstate'

import { CairnError, messageOf } from '../model/errors.js'
import { isMachine, logicOf } from './child-logic.js'
import { endedRef } from './ended-children.js'
import { type RefName, reviveRefs, replaceRefs } from './refs.js'
import { toSnapshot } from './snapshot.js'
import { Stepper } from './step.js'
import { TransitionLimit } from './transition-limit.js'
import type { MachineState } from './types.js'

/** A machine of the tree with its state. */
export interface LocatedState {
  readonly node: MachineNode
  readonly state: MachineState
}

export class MachineNode {
  readonly machine: AnyStateMachine
  readonly stepper: Stepper
  /** One for the whole tree. */
  readonly limit: TransitionLimit
  /** The parent as the machine sees it; undefined for the actor's own machine. */
  readonly parent: AnyActorRef | undefined
  /** Whether its context may hold references to actors. */
  readonly #mayHoldRefs: boolean
  /** Whether the machine has no parallel and no history states. */
  readonly #isLinear: boolean
  readonly #children = new Map<AnyStateMachine, MachineNode>()
  /** Snapshots of states that are in memory. */
  readonly #snapshots = new WeakMap<MachineState, AnyMachineSnapshot>()

  constructor(
    machine: AnyStateMachine,
    limit = new TransitionLimit(),
    parent?: AnyActorRef,
  ) {
    this.machine = machine
    this.limit = limit
    this.parent = parent
    limit.include(machine)
    const { actors } = machine.implementations as { readonly actors: object }
    this.#mayHoldRefs = parent !== undefined || Object.keys(actors).length > 0
    this.#isLinear = isLinear(machine.root)
    this.stepper = new Stepper(machine, limit, parent)
  }

  /** The machine's own actor, as the machine sees it. */
  get self(): AnyActorRef {
    return this.stepper.scope.self
  }

  /** The node of a child; `undefined` when its logic is not a machine. */
  child(src: string): MachineNode | undefined {
    const logic = logicOf(this.machine, src)
    if (logic === undefined || !isMachine(logic)) return undefined
    const known = this.#children.get(logic)
    if (known !== undefined) return known
    const node = new MachineNode(logic, this.limit, this.self)
    this.#children.set(logic, node)
    return node
  }

  /** A context as data: references to actors become names. */
  serialize<Context>(context: Context, nameOf: (ref: AnyActorRef) => RefName): Context {
    return this.#mayHoldRefs ? replaceRefs(context, nameOf) : context
  }

  /** The machine at the end of a path of children's ids; `undefined` when there is none. */
  at(state: MachineState, [id, ...rest]: readonly string[]): LocatedState | undefined {
    if (id === undefined) return { node: this, state }
    const child = state.children?.[id]
    const node = child?.state && this.child(child.src)
    return node?.at(child!.state!, rest)
  }

  /**
   * Keeps the snapshot of a state that a step has reached, where it equals the one that `toSnapshot` would restore:
   * the machine is linear, and the state holds no actors. Restoring it takes as long as the step itself.
   */
  remember(state: MachineState, snapshot: AnyMachineSnapshot): void {
    const isSame =
      this.#isLinear &&
      !this.#mayHoldRefs &&
      state.status === 'active' &&
      Object.keys(snapshot.children as object).length === 0
    if (isSame) this.#snapshots.set(state, snapshot)
  }

  /** XState's snapshot of a state. Throws `invalid-definition` when the machine no longer has the state. */
  snapshotOf(state: MachineState): AnyMachineSnapshot {
    const known = this.#snapshots.get(state)
    if (known !== undefined) return known
    const snapshot = this.#restore(state)
    if (this.#mayHoldRefs) this.#reviveRefs(snapshot, state)
    this.#snapshots.set(state, snapshot)
    return snapshot
  }

  #restore(state: MachineState): AnyMachineSnapshot {
    try {
      return toSnapshot(this.machine, state, this.stepper.scope)
    } catch (cause) {
      throw new CairnError(
        'invalid-definition',
        `Machine ${this.machine.id} cannot continue from the stored state ${JSON.stringify(state.value)} ` +
          `(${messageOf(cause)}): the machine has changed without a new version. Raise its version, so that its ` +
          'history is folded again; or restore the state in the machine.',
        { cause, details: { machine: this.machine.id, state: state.value } },
      )
    }
  }

  #reviveRefs({ context }: AnyMachineSnapshot, { ended }: MachineState): void {
    const refs = new Map<string, AnyActorRef>()
    reviveRefs(context, name => {
      if (name.cairn$actor !== 'ended')
        return name.cairn$actor === 'self' ? this.self : this.parent
      const { key } = name
      const ref = refs.get(key) ?? endedRef(this, key, ended?.[key])
      refs.set(key, ref)
      return ref
    })
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
