// What several routes share: fields, and the definitions of this node.

import type { AnyActorDefinition } from '../../actor/definition.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'
import type { Node } from '../../runtime/node.js'
import { count, optional, text, withDefault } from '../fields.js'

export const actorParams = {
  type: text('The type of the actor.'),
  id: text('The id of the actor, percent-encoded.'),
}

export const timeoutField = {
  timeout: withDefault(
    count('Milliseconds to wait.', { minimum: 1, maximum: 30_000 }),
    10_000,
  ),
}

export const positionParams = {
  position: count('A position, as the list has it.', { minimum: 1 }),
}

export const limitMax = 1_000

export const limitField = {
  limit: withDefault(
    count('The most entries of the answer.', { minimum: 1, maximum: limitMax }),
    100,
  ),
}

export const afterPosition = {
  after: optional(count('Only what comes after this position.')),
}

/** Throws `invalid-actor-type` or `invalid-actor-id`. */
export function addressOf(params: {
  readonly type: string
  readonly id: string
}): ActorAddress {
  return checkAddress({ type: params.type, id: params.id })
}

/** The definition of a type that this node hosts. Throws `unknown-actor-type`. */
export function definitionOf(
  { definitions, id }: Pick<Node, 'definitions' | 'id'>,
  type: string,
): AnyActorDefinition {
  const found = definitions.actors.find(one => one.type === type)
  if (found !== undefined) return found
  throw new CairnError(
    'unknown-actor-type',
    `Node ${id} does not host actor type ${show(type)}, and only a node that does can do this: ask one of those that ` +
      'GET /v1/nodes lists with it.',
    { details: { type } },
  )
}

/** The first entries of a sequence, and whether there are more. */
export async function firstOf<T>(
  all: AsyncIterable<T>,
  limit: number,
): Promise<{ readonly entries: T[]; readonly hasMore: boolean }> {
  const entries: T[] = []
  for await (const one of all) {
    if (entries.length >= limit) return { entries, hasMore: true }
    entries.push(one)
  }
  return { entries, hasMore: false }
}

/** Yields until the signal fires; what the sequence throws then is no error. */
export async function* until<T>(
  signal: AbortSignal,
  all: AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    yield* all
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
