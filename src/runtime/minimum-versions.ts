// The minimum versions of a namespace: the earliest behavior version of each actor type, and the earliest wire
// version, that its nodes must have. An operator raises them once nobody will roll back further.
//
// Owns one document. Without it, every version may run.
// MINIMUM-1. A node that does not meet them is refused when it starts, before and after it joins: it is never an owner.
// MINIMUM-2. They are set only while every member meets them. The members are looked at before and after the
//     document is written; if one is behind after it, the document is put back. With MINIMUM-1, a node that starts
//     meanwhile is seen, or sees the document.

import type { Member } from '../cluster/membership.js'
import { decode, encode } from '../codec/msgpack.js'
import {
  wireVersion,
  wireVersionNewest,
  wireVersionUnsaid,
} from '../codec/wire-version.js'
import { isActorType } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import type { Documents } from '../store/documents/documents.js'

/** A wire version, and behavior versions by actor type. */
export interface Versions {
  readonly wire: number
  readonly actors: Readonly<Record<string, number>>
}

/** The name of the document. */
export const minimumVersionsKey = 'minimum-versions'

const key = [minimumVersionsKey]
const attemptsMax = 10

/** Of a namespace without the document: every version. Throws `storage-failed` if it cannot be read. */
export async function readMinimum(documents: Documents): Promise<Versions> {
  return decodeMinimum((await documents.get(key))?.value)
}

/** Throws `version-behind` for the first version that a node needs and does not have (MINIMUM-1). */
export function checkMinimum(namespace: string, minimum: Versions, own: Versions): void {
  const [lack] = lacksOf(own, minimum)
  if (lack === undefined) return
  const { actorType, needs, runs } = lack
  const what =
    actorType === undefined
      ? `wire version ${needs}, and this build reads up to ${runs}`
      : `version ${needs} of actor type ${actorType}, and this node has ${runs}`
  throw new CairnError(
    'version-behind',
    `Namespace ${namespace} needs ${what}. Start a newer one; or, if no newer one has written anything yet, lower ` +
      `the minimum with "${programs.cairn} versions require".`,
    { details: { ...lack } },
  )
}

/** A version that is earlier than the minimum: of an actor type, or the wire version. */
interface Lack {
  readonly actorType?: string
  readonly needs: number
  readonly runs: number
}

function lacksOf({ wire, actors }: Versions, minimum: Versions): Lack[] {
  const lacks: Lack[] = wire < minimum.wire ? [{ needs: minimum.wire, runs: wire }] : []
  for (const [actorType, runs] of Object.entries(actors)) {
    const needs = minimum.actors[actorType] ?? 1
    if (runs < needs) lacks.push({ actorType, needs, runs })
  }
  return lacks
}

/** What a member announces. */
export function versionsOfMember({ types, behaviors, wire }: Member): Versions {
  const actors = types.map(type => [type, behaviors?.[type] ?? 1] as const)
  return { wire: wire ?? wireVersionUnsaid, actors: Object.fromEntries(actors) }
}

/** The members that do not meet a minimum, each with what it lacks. */
export function membersBehind(members: readonly Member[], minimum: Versions): string[] {
  return members.flatMap(member => {
    const node = `node ${show(member.id)}`
    return lacksOf(versionsOfMember(member), minimum).map(({ actorType, runs }) =>
      actorType === undefined
        ? `${node} reads wire version ${runs}`
        : `${node} has version ${runs} of ${actorType}`,
    )
  })
}

/**
 * Sets minimum versions; those that are not named stay. Version 1 of a type is every version of it.
 * Throws `version-behind` if a member does not meet them (MINIMUM-2), and `contention`.
 * @param members the members now; called twice
 * @returns the minimum versions after the change
 */
export async function setMinimum(
  documents: Documents,
  members: () => Promise<readonly Member[]>,
  change: Partial<Versions>,
): Promise<Versions> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const before = decodeMinimum(found?.value)
    const after = withChange(before, change)
    refuseIfBehind(await members(), after)
    const revision = await documents.put(key, encode(after), found?.revision ?? 0)
    if (revision === 'conflict') continue
    try {
      refuseIfBehind(await members(), after)
    } catch (error) {
      // A conflict: somebody has set it since, and has looked at the members.
      await documents.put(key, encode(before), revision)
      throw error
    }
    return after
  }
  throw new CairnError(
    'contention',
    `The minimum versions were not set: others set them ${attemptsMax} times in a row. Try again.`,
  )
}

/** The minimum after a change. Throws `invalid-option`. */
export function withChange(
  { wire, actors }: Versions,
  change: Partial<Versions>,
): Versions {
  for (const [type, version] of Object.entries(change.actors ?? {}))
    if (!isActorType(type) || !isCount(version) || version < 1)
      throw new CairnError(
        'invalid-option',
        `${show(type)}=${show(version)} is not an actor type and its version: versions are 1, 2, 3 and so on.`,
      )
  const wireAfter = change.wire ?? wire
  if (!isCount(wireAfter) || wireAfter < wireVersion || wireAfter > wireVersionNewest)
    throw new CairnError(
      'invalid-option',
      `Wire version ${show(wireAfter)} cannot be required: this build knows ${wireVersion} to ${wireVersionNewest}.`,
    )
  const merged = Object.entries({ ...actors, ...change.actors })
  const kept = merged.filter(([, version]) => version > 1)
  return { wire: wireAfter, actors: Object.fromEntries(kept) }
}

function refuseIfBehind(members: readonly Member[], minimum: Versions): void {
  const lacks = membersBehind(members, minimum)
  if (lacks.length > 0)
    throw new CairnError(
      'version-behind',
      `Nothing was changed: ${lacks.join(', ')}. Replace these nodes first.`,
      { details: { lacks } },
    )
}

function decodeMinimum(bytes: Uint8Array | undefined): Versions {
  if (bytes === undefined) return { wire: wireVersion, actors: {} }
  let cause: unknown
  try {
    const { wire, actors } = decode(bytes) as Record<string, unknown>
    if (isCount(wire) && isVersions(actors)) return { wire, actors }
  } catch (error) {
    cause = error
  }
  throw new CairnError(
    'storage-failed',
    `The document ${key.join('.')} is damaged: the minimum versions of the namespace are not known. Restore or delete it.`,
    { cause },
  )
}

/** Throws `storage-failed` if the document cannot be read. */
export function checkMinimumDocument(bytes: Uint8Array): void {
  decodeMinimum(bytes)
}

function isVersions(value: unknown): value is Record<string, number> {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([type, version]) => isActorType(type) && isCount(version),
    )
  )
}
