// Rows that are made of the states of actors: one row for each actor, after each of its commits.
//
// Owns the states of the actors that it has seen last.
// STATES-1. The state after a commit is the one that the commit carries, if this version of the definition and the same skips
//     made it, and otherwise the fold of the state before it. A state before it that is not known is folded from the actor's
//     history.
// STATES-2. An event that cannot be folded stops the build, as the actor is parked; an operator's skip lets both go on.

import type { AnyActorDefinition } from '../actor/definition.js'
import {
  foldedInlineState,
  foldCommit,
  type FoldContext,
  type FoldedState,
} from '../actor/fold.js'
import { recoverAt } from '../actor/recovery.js'
import type { Skips } from '../actor/skips.js'
import { checkData } from '../codec/data.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { freeze, handOut } from '../model/read-only.js'
import { describeChange, findRefusedChange } from '../model/refused-change.js'
import { show } from '../model/show.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Projection, RowsOfStates } from './define-projection.js'
import type { Folding, RowChange } from './folding.js'
import type { ProjectedState } from './states-of.js'

export interface StatePorts {
  readonly store: Pick<EventStore, 'head' | 'commits'>
  /** The versions of an actor that operators have skipped. */
  readonly skipsOf: (
    actor: ActorAddress,
    signal: AbortSignal,
  ) => Promise<Skips | undefined>
}

interface Known {
  readonly folded: FoldedState
  readonly skips: Skips | undefined
}

/** States that are kept, at most. */
const statesMax = 2_000

export function foldingOfStates(
  { name }: Pick<Projection, 'name'>,
  rows: RowsOfStates,
  { store, skipsOf }: StatePorts,
): Folding {
  /** By actor; the ones that were used last are at the end. */
  const known = new Map<string, Known>()

  /** STATES-1 */
  async function stateAfter(
    commit: StoredCommit,
    { behavior }: AnyActorDefinition,
    signal: AbortSignal,
  ): Promise<FoldedState> {
    const { actor, firstVersion, lastVersion } = commit
    const address = formatAddress(actor)
    const skips = await skipsOf(actor, signal)
    const context: FoldContext = { actor, behavior, skips }
    const before = known.get(address)
    const isBefore =
      before?.skips === skips && before?.folded.version === firstVersion - 1
    const folded =
      foldedInlineState(context, commit) ??
      (isBefore
        ? foldCommit(context, before.folded, commit)
        : await recoverAt(store, context, lastVersion, signal))
    known.delete(address)
    known.set(address, { folded, skips })
    if (known.size > statesMax) known.delete(known.keys().next().value!)
    return folded
  }

  return {
    itemsOf: commit => [
      { position: commit.position, index: 0, event: commit.events.at(-1)!, commit },
    ],

    keysOf: ({ commit }) => [rows.keyOf(commit!.actor)],

    async change(item, [key], _rowOf, signal) {
      const commit = item.commit!
      const { actor, position, at } = commit
      const definition = rows.definitions.get(actor.type)!
      const { state, version } = await stateAfter(commit, definition, signal)
      const projected = { actor, state, version, position, at }
      return [rowOfState(name, rows, projected, key)]
    },
  }
}

/** The row of an actor's state. Throws what `row` throws, `invalid-definition` and `invalid-data`. */
export function rowOfState(
  name: string,
  rows: RowsOfStates,
  { state, ...rest }: ProjectedState,
  key = rows.keyOf(rest.actor),
): RowChange {
  const make = (given: unknown) => rows.row({ ...rest, state: given })
  const next = made(name, make, state, key)
  if (next === undefined)
    throw new CairnError(
      'invalid-definition',
      `row of projection ${name} returned nothing for ${show(key)}: return a row, or null for none.`,
    )
  checkData(next, `row ${show(key)} of projection ${name}`)
  return [key, freeze(next)]
}

function made(
  name: string,
  make: (state: unknown) => unknown,
  state: unknown,
  key: string,
): unknown {
  try {
    return make(handOut(state))
  } catch (cause) {
    const change = findRefusedChange(cause, watch => make(watch('the state', state)))
    if (change === undefined) throw cause
    throw new CairnError(
      'invalid-definition',
      `row of projection ${name} changed ${describeChange(change, change.name)}, which it must only read: return a new ` +
        'value.',
      { cause, details: { projection: name, key, path: change.path } },
    )
  }
}
