// statesOf(): the states of actors as the source of a projection.

import { checkDefinition } from '../actor/check-definition.js'
import type { AnyActorDefinition } from '../actor/definition.js'
import type { StateOf } from '../actor/definition-types.js'
import { CairnError } from '../model/errors.js'
import type { ActorAddress } from '../model/address.js'
import type { DeepReadonly } from '../model/read-only.js'
import type { Position, Version } from '../model/version.js'

const mark = Symbol.for('cairn.states')

/** The states of one or several actor types. Made by {@link statesOf}. */
export interface StatesOf<Definition extends AnyActorDefinition = AnyActorDefinition> {
  readonly [mark]: readonly Definition[]
}

/** An actor after a commit. */
export interface ProjectedState<State = unknown> {
  readonly actor: ActorAddress
  readonly state: State
  readonly version: Version
  /** The position of the commit. */
  readonly position: Position
  /** The time of the commit, ms since 1970. */
  readonly at: number
}

/** What the function `row` gets: the states of the definitions of a source. */
export type ProjectedStateOf<Source> =
  Source extends StatesOf<infer Definition>
    ? Definition extends AnyActorDefinition
      ? ProjectedState<DeepReadonly<StateOf<Definition>>>
      : never
    : never

/**
 * The states of actors, in place of their events: `defineProjection({ from: statesOf(order), row: … })` has a row for each
 * actor, made of its state after each commit. Throws `invalid-definition`.
 */
export function statesOf<const Definitions extends readonly AnyActorDefinition[]>(
  ...definitions: Definitions
): StatesOf<Definitions[number]> {
  if (definitions.length === 0)
    throw new CairnError(
      'invalid-definition',
      'statesOf got no definition: pass those whose actors have rows, statesOf(order).',
    )
  for (const definition of definitions) checkDefinition('statesOf', definition)
  return { [mark]: definitions }
}

export function isStatesOf(source: unknown): source is StatesOf {
  return typeof source === 'object' && source !== null && mark in source
}

export function definitionsOf(source: StatesOf): readonly AnyActorDefinition[] {
  return source[mark]
}
