// Steps of a machine: from one snapshot to the next, with the actions to run.
//
// STEP-1. A step is pure: it runs no action, starts nothing and waits for nothing. The actions that XState would run are
//     collected for the caller.
// STEP-2. What a machine can see of itself is the same in every step that folds the same event: its actor's id, and no
//     clock or number that differs between processes.
// STEP-3. One scope serves all steps of a machine. XState makes a scope for each call of `transition()`, which costs more
//     than the step. The scope only gathers actions, and they are taken out after each step.
// STEP-4. `spawn` within `assign` makes no action. What it has spawned is kept with its place among the actions, because
//     XState starts it there.

import {
  type AnyActorRef,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  type ExecutableActionObject,
  fromTransition,
} from 'xstate'

import { checkDelayOf } from './timers.js'
import type { TransitionLimit } from './transition-limit.js'

export type StepScope = AnyActorScope

export interface Step {
  readonly snapshot: AnyMachineSnapshot
  /** In the order in which they run. */
  readonly actions: readonly ExecutableActionObject[]
  /** What `assign` has spawned (STEP-4). */
  readonly spawned: readonly Spawned[]
}

/** An actor that `assign` has spawned. */
export interface Spawned {
  readonly ref: AnyActorRef
  /** How many actions come before its start. */
  readonly after: number
}

export class Stepper {
  readonly scope: StepScope
  readonly #machine: AnyStateMachine
  readonly #limit: TransitionLimit
  #actions: ExecutableActionObject[] = []
  #spawned: Spawned[] = []
  /** The child that XState has made last. */
  #made: AnyActorRef | undefined

  /** @param parent the parent as the machine sees it, for a child machine */
  constructor(machine: AnyStateMachine, limit: TransitionLimit, parent?: AnyActorRef) {
    this.#machine = machine
    this.#limit = limit
    // XState needs an actor as a name; it is never started.
    const self = createActor(
      fromTransition((state: null) => state, null),
      parent && { parent },
    )
    // A child's system is its parent's.
    if (parent === undefined) limit.watch(self.system)
    self.system.inspect(({ type, actorRef }) => {
      // An actor makes its own children, too, while it is made.
      const { _parent: madeBy } = actorRef as AnyActorRef
      if (type === '@xstate.actor' && madeBy === self)
        this.#made = actorRef as AnyActorRef
    })
    this.scope = {
      self,
      id: self.id,
      sessionId: self.sessionId,
      system: self.system,
      logger: () => {},
      // XState would start here what `assign` has spawned (STEP-4).
      defer: () => {
        if (this.#made !== undefined)
          this.#spawned.push({ ref: this.#made, after: this.#actions.length })
      },
      emit: () => {},
      stopChild: () => {},
      actionExecutor: action => {
        checkDelayOf(machine.id, action)
        this.#actions.push(action)
      },
    }
  }

  /** The first step. Throws what the machine's initial context or entry actions throw. */
  begin(id: string, input: unknown): Step {
    const step = this.#collect(id, () =>
      this.#machine.getInitialSnapshot(this.scope, input),
    )
    if (step.snapshot.status === 'error') throw this.#limit.explain(step.snapshot.error)
    return step
  }

  /** Throws what guards and assignments throw. */
  next(id: string, snapshot: AnyMachineSnapshot, event: EventObject): Step {
    return this.#collect(id, () => this.#machine.transition(snapshot, event, this.scope))
  }

  #collect(id: string, step: () => AnyMachineSnapshot): Step {
    this.#actions = []
    this.#spawned = []
    this.#limit.nextStep()
    this.scope.id = this.scope.sessionId = id
    Object.assign(this.scope.self, { id, sessionId: id })
    try {
      const snapshot = step()
      this.#limit.check()
      return { snapshot, actions: this.#actions, spawned: this.#spawned }
    } catch (error) {
      throw this.#limit.explain(error)
    } finally {
      this.#actions = []
      this.#spawned = []
      this.#made = undefined
    }
  }
}
