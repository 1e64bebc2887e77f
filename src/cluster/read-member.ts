// A member as another process announces it, which may run another version of this package.
//
// What this version does not know is left out; what another version does not say gets a default;
// without what placement rests on (id, types, weight, incarnation) it is nobody.

import { isActorType } from '../model/address.js'
import { isNodeId } from '../model/node-id.js'
import { isCount } from '../model/version.js'
import type { Member } from './membership.js'

/** The latest moment that a date can be. */
const incarnationMax = 8.64e15

/** The member, or `undefined` for what is none. */
export function readMember(said: unknown): Member | undefined {
  if (!isObject(said)) return undefined
  const { id, types, groups, weight, version, incarnation, metadata } = said
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
    // Operators read it: nothing that a terminal would act on.
    version:
      typeof version === 'string' && /^[\x20-\x7e]{1,64}$/.test(version)
        ? version
        : 'unknown',
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
