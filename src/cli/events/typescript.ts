// TypeScript types of JSON Schemas, as far as types can say it; the rest is `unknown`.

import type { JsonSchema } from './json-schema.js'

/** Deeper parts are `unknown`: a schema may contain itself. */
const depthMax = 12
/** Members of a union; a longer one is `unknown`. */
const unionMax = 32

export function typeOf(schema: JsonSchema, indent = ''): string {
  return typeIn({ root: schema, depth: 0 }, schema, indent)
}

interface Place {
  /** Where references lead. */
  readonly root: JsonSchema
  readonly depth: number
}

function typeIn({ root, depth }: Place, given: JsonSchema, indent: string): string {
  const schema = resolved(root, given)
  if (schema === undefined || depth > depthMax) return 'unknown'
  const place = { root, depth: depth + 1 }
  const named = schema.$comment
  if (named === 'Date' || named === 'Uint8Array' || named === 'bigint') return named
  if ('const' in schema) return literal(schema.const)
  if (Array.isArray(schema.enum)) return union(schema.enum.map(literal))
  const choices = schema.anyOf ?? schema.oneOf
  if (Array.isArray(choices))
    return union((choices as JsonSchema[]).map(one => typeIn(place, one, indent)))
  if (Array.isArray(schema.allOf)) {
    const all = (schema.allOf as JsonSchema[]).map(one => typeIn(place, one, indent))
    return [...new Set(all)].map(inParentheses).join(' & ')
  }
  const types = [schema.type ?? []].flat()
  return types.length === 0
    ? 'unknown'
    : union(types.map(type => single(place, type, schema, indent)))
}

function single(place: Place, type: string, schema: JsonSchema, indent: string): string {
  switch (type) {
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return type
    case 'array':
      return arrayType(place, schema, indent)
    case 'object':
      return objectType(place, schema, indent)
  }
  return 'unknown'
}

function arrayType(
  place: Place,
  { items, prefixItems }: JsonSchema,
  indent: string,
): string {
  if (Array.isArray(prefixItems)) {
    const first = (prefixItems as JsonSchema[]).map(one => typeIn(place, one, indent))
    return `[${first.join(', ')}]`
  }
  const item = typeof items === 'object' ? typeIn(place, items, indent) : 'unknown'
  return `${inParentheses(item)}[]`
}

function objectType(
  place: Place,
  { properties, required = [], additionalProperties }: JsonSchema,
  indent: string,
): string {
  const fields = Object.entries(properties ?? {})
  const values =
    typeof additionalProperties === 'object'
      ? `Record<string, ${typeIn(place, additionalProperties, indent)}>`
      : undefined
  if (fields.length === 0)
    return values ?? (properties === undefined ? 'Record<string, unknown>' : '{}')
  const inner = `${indent}  `
  const lines = fields.map(([name, schema]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
    const mark = required.includes(name) ? '' : '?'
    return `${inner}${key}${mark}: ${typeIn(place, schema, inner)}`
  })
  const body = `{\n${lines.join('\n')}\n${indent}}`
  return values === undefined ? body : `${body} & ${values}`
}

/** The schema that a reference within the document leads to; `undefined` for any other reference. */
function resolved(root: JsonSchema, schema: JsonSchema): JsonSchema | undefined {
  const { $ref: ref } = schema
  if (typeof ref !== 'string') return schema
  if (!ref.startsWith('#')) return undefined
  let at: unknown = root
  for (const name of ref.slice(1).split('/').filter(Boolean)) {
    const key = name.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined
    at = (at as Record<string, unknown>)[key]
  }
  // A reference to a reference is followed where it is printed, at the next depth.
  return typeof at === 'object' && at !== null ? (at as JsonSchema) : undefined
}

function literal(value: unknown): string {
  const isSimple =
    value === null || ['string', 'number', 'boolean'].includes(typeof value)
  return isSimple ? JSON.stringify(value) : 'unknown'
}

function union(members: readonly string[]): string {
  const all = [...new Set(members)]
  if (all.length > unionMax || all.includes('unknown')) return 'unknown'
  return all.join(' | ')
}

function inParentheses(type: string): string {
  return / [|&] /.test(type) && !type.startsWith('{') ? `(${type})` : type
}
