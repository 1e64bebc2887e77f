// The option `allow`: which routes and actor types requests may use, beyond what their roles permit; its form and its check.

import { isActorType } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { didYouMean } from '../model/nearest.js'
import { show } from '../model/show.js'
import { type Role, roles } from './principal.js'
import { routes } from './routes/routes.js'

/** What requests may use. */
export interface Allow {
  /** Types of actors. Routes about no type are then allowed only if `routes` names them. Default: all, and all routes. */
  readonly types?: readonly string[] | undefined
  /** Ids of operations, as the OpenAPI document has them (`ask`, `watchActor`), and `metrics`. Default: all. */
  readonly routes?: readonly string[] | undefined
}

/** What each role may use; a role that is left out may use all that it permits. */
export type AllowByRole = { readonly [Name in Role]?: Allow | undefined }

/** The checked option. */
export type AllowRules = Readonly<Record<Role, Allow>>

/** The id of `/metrics`, which is no route of the document. */
export const metricsId = 'metrics'

const allowNames = ['types', 'routes']

/** Throws `invalid-option`. */
export function checkAllow(given: Allow | AllowByRole = {}): AllowRules {
  const names = namesIn(given, 'allow', [...allowNames, ...roles])
  const isByRole = names.some(name => !allowNames.includes(name))
  if (isByRole && names.some(name => allowNames.includes(name)))
    throw invalid('allow has roles beside types or routes: put those under the roles.')
  const rules = roles.map(role => {
    const rule = isByRole ? ((given as AllowByRole)[role] ?? {}) : (given as Allow)
    return [role, checkRule(rule, isByRole ? `allow.${role}` : 'allow')] as const
  })
  return Object.fromEntries(rules) as AllowRules
}

function checkRule(rule: Allow, name: string): Allow {
  namesIn(rule, name, allowNames)
  const known = [...routes.map(({ id }) => id), metricsId]
  for (const id of listIn(rule.routes, `${name}.routes`))
    if (!known.includes(id))
      throw invalid(
        `${name}.routes has ${show(id)}, which is no operation of the API.${didYouMean(id, known)} ` +
          'GET /v1/openapi.json has their ids, as operationId.',
      )
  for (const type of listIn(rule.types, `${name}.types`))
    if (!isActorType(type))
      throw invalid(
        `${name}.types has ${show(type)}, which no type of actors can be: use the types of definitions.`,
      )
  return rule
}

function namesIn(given: unknown, name: string, known: readonly string[]): string[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid(`${name} is ${show(given)}: use an object with ${known.join(', ')}.`)
  const names = Object.keys(given)
  const unknown = names.find(one => !known.includes(one))
  if (unknown === undefined) return names
  throw invalid(
    `${name} has no option ${show(unknown)}.${didYouMean(unknown, known)} It has ${known.join(', ')}.`,
  )
}

function listIn(given: unknown, name: string): readonly string[] {
  if (given === undefined) return []
  if (Array.isArray(given)) return given as string[]
  throw invalid(`${name} is ${show(given)}: use a list of names.`)
}

function invalid(message: string): CairnError {
  return new CairnError('invalid-option', message)
}
