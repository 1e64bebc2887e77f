// What a machine may not have, told where it is defined and not when it is used.

import type { AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkDelays } from './delays.js'

interface Node {
  readonly id: string
  readonly invoke: readonly unknown[]
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

/** Throws `invalid-definition` for what cannot be made durable. */
export function checkDurable(machine: AnyStateMachine, type: string): void {
  checkDelays(machine, type)
  const look = ({ id, invoke, states }: Node): void => {
    if (invoke.length > 0)
      throw new CairnError(
        'invalid-definition',
        `Machine ${type}: state ${id} invokes an actor. Invoked actors are not durable yet: emit an ` +
          'event, and let a reactor do the work and send back what came of it.',
        { details: { type, state: id } },
      )
    Object.values(states).forEach(look)
  }
  look(machine.root)
}
