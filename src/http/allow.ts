// Whether the option `allow` lets a principal use a route.
//
// ALLOW-1. With `types`, what is about no actor type, or about others, is refused, unless it is a route that `routes` names
//     and that is about no type.

import { show } from '../model/show.js'
import { type Allow, type AllowRules, metricsId } from './allow-option.js'
import type { Principal } from './principal.js'
import { Problem } from './problem.js'
import type { Route } from './route.js'

/** What a request uses. */
export type Used = Pick<Route, 'id' | 'role'> & {
  /** Absent for a route about no actor type; none for one that shows all types. */
  readonly types?: readonly string[]
}

export const metricsRoute: Used = { id: metricsId, role: 'reader' }

/** What a request to a route uses, as its path and its query say. */
export function usedBy(
  { id, role, params, query }: Route,
  path: Readonly<Record<string, string>>,
  { url }: Pick<Request, 'url'>,
): Used {
  if (params?.type !== undefined) return { id, role, types: [path['type'] ?? ''] }
  if (query?.type === undefined) return { id, role }
  return { id, role, types: new URL(url).searchParams.getAll('type') }
}

/** Throws a problem for a principal with the role for a route, if none of its roles may use it. */
export function requireAllowed(
  { id, roles: held }: Principal,
  used: Used,
  rules: AllowRules,
): void {
  const sufficing = held.filter(one => used.role === 'reader' || one === used.role)
  const refusals = sufficing.map(one => refusalOf(used, rules[one] ?? rules.reader))
  const refusal = refusals.find(one => one !== undefined)
  if (refusal === undefined || refusals.includes(undefined)) return
  throw new Problem(
    'forbidden',
    `${show(id)} may not use ${used.id}${refusal}: ask the operator of this server, who sets the option allow.`,
    { members: { route: used.id } },
  )
}

/** What of a request is not allowed, as the end of "may not use ROUTE"; `undefined` if it is. ALLOW-1. */
function refusalOf(used: Used, { types, routes: ids }: Allow): string | undefined {
  if (ids !== undefined && !ids.includes(used.id)) return ' here'
  if (types === undefined) return undefined
  if (used.types === undefined) return ids === undefined ? ' here' : undefined
  const other = used.types.find(type => !types.includes(type))
  if (other !== undefined) return ` for ${show(other)}`
  return used.types.length === 0 ? ' without a type' : undefined
}
