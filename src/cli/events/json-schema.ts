// JSON Schema (2020-12) of the data of events: of an inferred shape, and of a schema that can tell its own.
//
// What JSON has no type for is described as the command line prints it with --json, and `$comment` has its type.

import { type StandardSchema, toldSchema } from '../../model/schema.js'
import type { Kind, Shape } from './shape.js'

export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: boolean | JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly $comment?: string
  readonly [keyword: string]: unknown
}

const ofKind: Readonly<Record<Exclude<Kind, 'undefined'>, JsonSchema>> = {
  null: { type: 'null' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  number: { type: 'number' },
  string: { type: 'string' },
  bigint: { type: 'string', pattern: '^-?[0-9]+$', $comment: 'bigint' },
  date: { type: 'string', format: 'date-time', $comment: 'Date' },
  bytes: { type: 'string', contentEncoding: 'base64', $comment: 'Uint8Array' },
}

/** The schema of a shape. A value that is `undefined` is printed as `null`. */
export function schemaOfShape(shape: Shape): JsonSchema {
  const { kinds, object, array, cut } = shape
  if (cut === true && object === undefined && array === undefined) return {}
  const has = new Set(kinds)
  if (has.has('number')) has.delete('integer')
  if (has.delete('undefined')) has.add('null')
  const plain: string[] = []
  const others: JsonSchema[] = []
  for (const kind of has) {
    const schema = ofKind[kind as Exclude<Kind, 'undefined'>]
    if (schema.$comment === undefined) plain.push(schema.type as string)
    else others.push(schema)
  }
  const all: JsonSchema[] = [
    ...(plain.length > 0 ? [{ type: plain.length === 1 ? plain[0]! : plain }] : []),
    ...others,
    ...(array === undefined ? [] : [arrayOf(array.items)]),
    ...(object === undefined ? [] : [objectOf(object)]),
  ]
  if (all.length === 0) return {}
  return all.length === 1 ? all[0]! : { anyOf: all }
}

function arrayOf(items: Shape | undefined): JsonSchema {
  return items === undefined
    ? { type: 'array' }
    : { type: 'array', items: schemaOfShape(items) }
}

function objectOf({ count, fields, values }: NonNullable<Shape['object']>): JsonSchema {
  if (fields === undefined)
    return {
      type: 'object',
      ...(values !== undefined && { additionalProperties: schemaOfShape(values) }),
    }
  const names = Object.keys(fields).toSorted()
  return {
    type: 'object',
    properties: Object.fromEntries(
      names.map(name => [name, schemaOfShape(fields[name]!.shape)]),
    ),
    required: names.filter(name => fields[name]!.count === count),
  }
}

/** What a schema says that it makes, if it can tell (Standard JSON Schema): zod and arktype can, valibot cannot. */
export function schemaOfStandard(schema: StandardSchema): JsonSchema | undefined {
  return toldSchema(schema, 'output')
}
