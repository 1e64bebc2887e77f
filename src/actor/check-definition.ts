// Checks that a value is an actor definition: an XState machine, a type's name and a function that makes a
// definition are easily taken for one.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { AnyActorDefinition } from './definition.js'

/** Throws `invalid-definition`. */
export function checkDefinition(
  where: string,
  value: unknown,
): asserts value is AnyActorDefinition {
  const { type, behavior, root } = (
    typeof value === 'object' && value !== null ? value : {}
  ) as { readonly type?: unknown; readonly behavior?: unknown; readonly root?: unknown }
  if (typeof type === 'string' && typeof behavior === 'object') return
  const isMachine = typeof root === 'object'
  throw new CairnError(
    'invalid-definition',
    isMachine
      ? `${where} has an XState machine: wrap it, fromMachine(machine).`
      : `${where} has ${show(value)}, which is not an actor definition: pass what defineActor or fromMachine returns.`,
  )
}
