// Reads a member as announced by another process, which may run another version of this package.
//
// Unknown properties are left out, and missing ones get a default. A member without the properties on which placement
// depends (id, types, weight, incarnation) is ignored.

import { isActorType } from '../model/address.js'
import { isNodeId } from '../model/node-id.js'
import { isCount } from '../model/version.js'
import type { Member } from './membership.js'

/** The latest time that a `Date` can represent. */
const incarnationMax = 8.64e15

/** Returns the member, or `undefined` for an invalid one. */
export function readMember(announced: unknown): Member | undefined {
  if (!isObject(announced)) return undefined
  const { id, types, groups, weight, version, behaviors, wire, incarnation, metadata } =
    announced
  if (!isNodeId(id) || !Array.isArray(types)) return undefined
  if (typeof weight !== 'number' || !(weight > 0 && weight < Infinity)) return undefined
  if (!isCount(incarnation) || incarnation > incarnationMax) return undefined
  return {
    id,
    types: types.filter(isActorType),
    ...(Array.isArray(groups) && {
      groups: groups.filter((group): group is string => typeof group === 'string'),
    }),
    weight,
    // Shown to operators: printable ASCII only, so that it contains no terminal control characters.
    version:
      typeof version === 'string' && /^[\x20-\x7e]{1,64}$/.test(version)
        ? version
        : 'unknown',
    ...(isObject(behaviors) && {
      behaviors: Object.fromEntries(
        Object.entries(behaviors).filter(
          (entry): entry is [string, number] =>
            isActorType(entry[0]) && isCount(entry[1]) && entry[1] >= 1,
        ),
      ),
    }),
    ...(isCount(wire) && { wire }),
    incarnation,
    metadata: isObject(metadata)
      ? Object.fromEntries(
          Object.entries(metadata).filter(
            (entry): entry is [string, string] => typeof entry[1] === 'string',
          ),
        )
      : {},
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
