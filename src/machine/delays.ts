// Delays: what a machine wants to happen later. The one place that knows what becomes of them.
//
// A delay has to survive the process that began it. Until timers do, it is refused: where the
// machine is defined as far as that can be seen there, and else in the step that asks for it.

import type { AnyStateMachine } from 'xstate'

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

interface Node {
  readonly id: string
  readonly config: { readonly after?: unknown }
  readonly states: Readonly<Record<string, Node>>
}

/** Throws `invalid-definition` for a machine with delayed transitions. */
export function checkDelays({ root }: AnyStateMachine, type: string): void {
  const look = ({ id, config, states }: Node): void => {
    if (config.after !== undefined) throw noDelays(type, `state ${id} has "after"`)
    Object.values(states).forEach(look)
  }
  look(root)
}

/** Throws `invalid-definition` for a step that raises or sends something later. */
export function refuseDelay(type: string, params: unknown): void {
  const { delay } = params as { readonly delay?: unknown }
  if (delay !== undefined)
    throw noDelays(type, `an event is raised or sent after ${show(delay)} ms`)
}

function noDelays(type: string, where: string): CairnError {
  return new CairnError(
    'invalid-definition',
    `Machine ${type}: ${where}. Delays are not durable yet, so machines have none: let whoever ` +
      'knows the time send an event.',
    { details: { type } },
  )
}
