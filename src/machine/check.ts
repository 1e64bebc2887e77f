// Checks at definition time that a machine can be made durable.

import type { AnyActorLogic, AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkLogic, isMachine, logicOf } from './child-logic.js'
import { checkDelays } from './check-delays.js'

interface Invoked {
  readonly id: string
  readonly src: unknown
  readonly systemId?: string | undefined
}

interface Node {
  readonly id: string
  readonly invoke: readonly Invoked[]
  readonly states: Readonly<Record<string, Node>>
}

/** Throws `invalid-definition`. */
export function checkMachine(machine: unknown): asserts machine is AnyStateMachine {
  const isMachine =
    typeof machine === 'object' &&
    machine !== null &&
    'root' in machine &&
    'restoreSnapshot' in machine
  if (!isMachine)
    throw new CairnError(
      'invalid-definition',
      `fromMachine got ${show(machine)}: pass what XState's createMachine(…) returns.`,
    )
}

/**
 * Throws `invalid-definition` for a machine that cannot be made durable.
 * @param seen machines already checked: a machine may be its own child
 * @returns whether the machine, or one that it may spawn, can invoke or spawn logic that is not a machine
 */
export function checkDurable(
  machine: AnyStateMachine,
  type: string,
  seen = new Set<AnyStateMachine>(),
): boolean {
  seen.add(machine)
  checkDelays(machine, type)
  const { actors } = machine.implementations as {
    readonly actors: Readonly<Record<string, AnyActorLogic>>
  }
  const logics = new Set(Object.values(actors))
  const look = ({ invoke, states }: Node): void => {
    for (const { id, src, systemId } of invoke) {
      const logic = logicOf(machine, src as string)
      checkLogic(machine, logic, id)
      logics.add(logic)
      if (systemId !== undefined)
        throw new CairnError(
          'invalid-definition',
          `Machine ${type}, child ${id}: it has a systemId, which is lost when the process ends. Use its id.`,
          { details: { type, child: id } },
        )
    }
    Object.values(states).forEach(look)
  }
  look(machine.root)
  const runs = [...logics].map(logic => {
    if (!isMachine(logic)) return true
    return !seen.has(logic) && checkDurable(logic, type, seen)
  })
  return runs.includes(true)
}
