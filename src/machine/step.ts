// Steps of a machine: from one snapshot to the next, with what is to be done for it.
//
// S1. A step is pure: it runs no action, starts nothing and waits for nothing. What XState would
//     have done is collected, and the caller does with it what it may.
// S2. What a machine can see of itself is the same in every step that folds the same event: its
//     actor's id. No clock, no number that differs between processes.
// S3. One scope serves every step of a machine. XState makes one per call of `transition()`, which
//     costs more than the step; the one thing that a scope gathers are the actions, and those
//     are taken out after each step.

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

export type StepScope = AnyActorScope

export interface Step {
  readonly snapshot: AnyMachineSnapshot
  /** In the order in which they are to be done. */
  readonly actions: readonly ExecutableActionObject[]
}

export class Stepper {
  readonly scope: StepScope
  readonly #machine: AnyStateMachine
  #actions: ExecutableActionObject[] = []

  /** @param parent what the machine knows as its parent, where it is a child */
  constructor(machine: AnyStateMachine, parent?: AnyActorRef) {
    this.#machine = machine
    // Only a name to XState: it is never started, and runs nothing of the machine's.
    const self = createActor(
      fromTransition((state: null) => state, null),
      parent && { parent },
    )
    this.scope = {
      self,
      id: self.id,
      sessionId: self.sessionId,
      system: self.system,
      logger: () => {},
      // The start of what `assign` has spawned; everything else waits for its action to run.
      defer: () => {},
      emit: () => {},
      stopChild: () => {},
      actionExecutor: action => void this.#actions.push(action),
    }
  }

  /** The first step. Throws what the machine's initial context or entry throws. */
  begin(id: string, input: unknown): Step {
    const step = this.#collect(id, () =>
      this.#machine.getInitialSnapshot(this.scope, input),
    )
    if (step.snapshot.status === 'error') throw step.snapshot.error
    return step
  }

  /** Throws what guards and assignments throw. */
  next(id: string, snapshot: AnyMachineSnapshot, event: EventObject): Step {
    return this.#collect(id, () => this.#machine.transition(snapshot, event, this.scope))
  }

  #collect(id: string, step: () => AnyMachineSnapshot): Step {
    this.#actions = []
    this.scope.id = this.scope.sessionId = id
    Object.assign(this.scope.self, { id, sessionId: id })
    try {
      const snapshot = step()
      return { snapshot, actions: this.#actions }
    } finally {
      this.#actions = []
    }
  }
}
