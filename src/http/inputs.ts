// The parts of a request that are read as fields.

import type { Fields } from './fields.js'
import { Problem } from './problem.js'
import type { Route } from './route.js'

/** The query; lists for fields that may be repeated. Throws a problem. */
export function queryOf(request: Request, fields: Fields = {}): Record<string, unknown> {
  const { searchParams } = new URL(request.url)
  const given: Record<string, unknown> = {}
  for (const name of new Set(searchParams.keys())) {
    const values = searchParams.getAll(name)
    if (values.length > 1 && fields[name]?.isRepeated !== true)
      throw new Problem('invalid-request', `The query has ${name} more than once.`)
    given[name] = values.length > 1 ? values : values[0]
  }
  return given
}

/** The body of a route with fields; empty counts as an object without any. Throws a problem. */
export function bodyFieldsOf(
  one: Route,
  value: unknown,
): Readonly<Record<string, unknown>> {
  if (one.body === undefined || value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new Problem('invalid-request', 'The body is not a JSON object.')
}
