// Names: namespaces, actor types, actor ids, and the address `type/id`.
//
// A name outside its grammar is an error; it is never mapped to a similar one, because two different
// names must never share a history.

import { CairnError } from './errors.js'
import { show } from './show.js'

/** An actor's name within its namespace. */
export interface ActorAddress {
  /** Kind of actor: `[A-Za-z][A-Za-z0-9_-]{0,62}`; types that begin with `cairn-` are reserved. */
  readonly type: string
  /** Any non-empty string of at most 256 bytes of UTF-8. */
  readonly id: string
}

const namespacePattern = /^[a-z0-9][a-z0-9-]{0,62}$/
const typePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/
export const actorIdBytesMax = 256

/** Returns `namespace`, or throws `invalid-namespace`. */
export function checkNamespace(namespace: unknown): string {
  if (typeof namespace === 'string' && namespacePattern.test(namespace)) return namespace
  throw new CairnError(
    'invalid-namespace',
    `${show(namespace)} is not a namespace: use 1 to 63 characters of a-z, 0-9 and "-", ` +
      'starting with a letter or digit.',
    { details: { namespace } },
  )
}

export function isActorType(type: unknown): type is string {
  return typeof type === 'string' && typePattern.test(type)
}

/** Returns `type`, or throws `invalid-actor-type`. */
export function checkActorType(type: unknown): string {
  if (isActorType(type)) return type
  throw new CairnError(
    'invalid-actor-type',
    `${show(type)} is not an actor type: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-", ` +
      'starting with a letter.',
    { details: { type } },
  )
}

/** Returns `id`, or throws `invalid-actor-id`. */
export function checkActorId(id: unknown): string {
  if (typeof id !== 'string' || id === '')
    throw invalidId(id, 'it must be a non-empty string')
  if (!id.isWellFormed())
    throw invalidId(id, 'it holds half of a surrogate pair, which UTF-8 cannot encode')
  // A UTF-16 unit takes at most three bytes of UTF-8, so most ids need no count.
  if (id.length * 3 > actorIdBytesMax) {
    const bytes = Buffer.byteLength(id)
    if (bytes > actorIdBytesMax)
      throw invalidId(
        id,
        `it has ${bytes} bytes of UTF-8, and the limit is ${actorIdBytesMax}`,
      )
  }
  return id
}

/** Types with this prefix are reserved for Cairn; applications cannot define them. */
const reservedPrefix = 'cairn-'

/** Whether the type is reserved for Cairn. */
export function isReservedType(type: string): boolean {
  return type.startsWith(reservedPrefix)
}

function invalidId(id: unknown, reason: string): CairnError {
  return new CairnError(
    'invalid-actor-id',
    `${show(id)} is not an actor id: ${reason}.`,
    {
      details: { id },
    },
  )
}

/** Returns `address`, or throws `invalid-actor-type` or `invalid-actor-id`. */
export function checkAddress(address: ActorAddress): ActorAddress {
  if (typeof address !== 'object' || address === null)
    throw new CairnError(
      'invalid-actor-id',
      `${show(address)} is not an actor address: pass { type, id }.`,
    )
  checkActorType(address.type)
  checkActorId(address.id)
  return address
}

/** `type/id`. A type has no slash, so the first slash separates them; an id may have more. */
export function formatAddress(address: ActorAddress): string {
  return `${address.type}/${address.id}`
}

/** The inverse of {@link formatAddress}; throws `invalid-actor-type` or `invalid-actor-id`. */
export function parseAddress(text: string): ActorAddress {
  const slash = typeof text === 'string' ? text.indexOf('/') : -1
  if (slash < 0)
    throw new CairnError(
      'invalid-actor-id',
      `${show(text)} is not an actor address: write TYPE/ID, for example account/alice.`,
      { details: { address: text } },
    )
  return {
    type: checkActorType(text.slice(0, slash)),
    id: checkActorId(text.slice(slash + 1)),
  }
}
