// What a machine may not have, told where it is defined and not when it is used.

import type { AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkLogic, logicOf } from './child-logic.js'
import { checkDelays } from './timers.js'

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
 * Throws `invalid-definition` for what cannot be made durable.
 * @returns whether it may invoke or spawn actors
 */
export function checkDurable(machine: AnyStateMachine, type: string): boolean {
  checkDelays(machine, type)
  let invokes = false
  const look = ({ invoke, states }: Node): void => {
    for (const { id, src, systemId } of invoke) {
      invokes = true
      checkLogic(machine, logicOf(machine, src as string), id)
      if (systemId !== undefined)
        throw new CairnError(
          'invalid-definition',
          `Machine ${type}, child ${id}: it has a systemId, which ends with a process. Use its id.`,
          { details: { type, child: id } },
        )
    }
    Object.values(states).forEach(look)
  }
  look(machine.root)
  return invokes || Object.keys(machine.implementations.actors as object).length > 0
}
