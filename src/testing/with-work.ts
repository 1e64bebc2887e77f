// withWork(): a definition with another function for a work, so that a test calls nobody outside.

import { checkDefinition } from '../actor/check-definition.js'
import type { AnyActorDefinition } from '../actor/definition.js'
import { checkWork, type Work } from '../actor/work.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/**
 * The definition with a function in place of the one that a work has. Start the nodes with it, and spawn with it:
 *
 * ```ts
 * const order = withWork(realOrder, charge, async ({ cents }) => ({ receipt: `r-${cents}` }))
 * await using cluster = await testCluster({ actors: [order] })
 * await cluster.node(0).spawn(order, 'o-1').ask('pay', { cents: 700 })
 * await cluster.settled()
 * ```
 *
 * Throws `invalid-definition` if the definition does not perform the work.
 */
export function withWork<
  Definition extends AnyActorDefinition,
  Name extends string,
  Input,
  Result,
>(
  definition: Definition,
  work: Work<Name, Input, Result>,
  run: Work<Name, NoInfer<Input>, NoInfer<Result>>['run'],
): Definition {
  checkDefinition('withWork', definition)
  checkWork('withWork', work)
  const { type, performs = [] } = definition
  if (!performs.some(({ name }) => name === work.name) || typeof run !== 'function')
    throw new CairnError(
      'invalid-definition',
      typeof run === 'function'
        ? `Actor type ${type} performs no work ${show(work.name)}: pass work that it lists in performs.`
        : `withWork got ${show(run)} for work ${work.name}: pass the function that is called instead.`,
      { details: { type, work: work.name } },
    )
  return {
    ...definition,
    performs: performs.map(one =>
      one.name === work.name ? Object.freeze({ ...one, run }) : one,
    ),
  }
}
