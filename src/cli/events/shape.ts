// The shape of values, inferred from samples: plain data, which is kept and merged with more samples.
//
// SHAPE-1. Its size is bounded, whatever the samples are: at most `depthMax` levels, `fieldsMax` fields of an object and
//     `nodesMax` shapes in all. What lies beyond is not described, and is `unknown` to whoever reads it.
// SHAPE-2. It holds no value of a sample, only names of fields. An object with more fields than `fieldsMax` is one of values by
//     key, whose keys are not kept.

import { Buffer } from 'node:buffer'

/** Deeper parts are not described. */
const depthMax = 8
/** An object with more fields is one of values by key. */
const fieldsMax = 64
const nodesMax = 2_000
/** Items of an array that are looked at. */
const itemsMax = 32

export type Kind =
  | 'null'
  | 'undefined'
  | 'boolean'
  | 'integer'
  | 'number'
  | 'string'
  | 'bigint'
  | 'date'
  | 'bytes'

export interface Shape {
  /** What it is where it is neither an object nor an array, sorted. */
  kinds: Kind[]
  object?: ObjectShape
  /** It is an array; the shape of its items, none while each one was empty. */
  array?: { items?: Shape }
  /** It has parts that are not described (SHAPE-1). */
  cut?: true
}

interface ObjectShape {
  /** Objects that were seen. */
  count: number
  /** By name, with the number of objects that have it. */
  fields?: Record<string, { count: number; shape: Shape }>
  /** In place of fields: the shape of the values (SHAPE-2). */
  values?: Shape
}

export interface SampledShape {
  readonly shape: Shape
  /** Shapes that it consists of. */
  nodes: number
}

export function newShape(): SampledShape {
  return { shape: { kinds: [] }, nodes: 1 }
}

/** Includes a sample. */
export function addSample(sampled: SampledShape, value: unknown): void {
  include(sampled, sampled.shape, value, 0)
}

function include(all: SampledShape, shape: Shape, value: unknown, depth: number): void {
  if (Array.isArray(value)) return includeArray(all, shape, value, depth)
  const kind = kindOf(value)
  if (kind === undefined) return includeObject(all, shape, value as object, depth)
  if (shape.kinds.includes(kind)) return
  shape.kinds = [...shape.kinds, kind].toSorted()
}

function kindOf(value: unknown): Kind | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'string':
    case 'bigint':
    case 'undefined':
      return typeof value as Kind
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'number'
  }
  if (value === null) return 'null'
  if (value instanceof Date) return 'date'
  return ArrayBuffer.isView(value) || Buffer.isBuffer(value) ? 'bytes' : undefined
}

function includeArray(
  all: SampledShape,
  shape: Shape,
  items: readonly unknown[],
  depth: number,
): void {
  const array = (shape.array ??= {})
  if (items.length === 0) return
  const below = array.items ?? made(all, shape, depth)
  if (below === undefined) return
  array.items = below
  for (const item of items.slice(0, itemsMax)) include(all, below, item, depth + 1)
}

function includeObject(
  all: SampledShape,
  shape: Shape,
  value: object,
  depth: number,
): void {
  const object = (shape.object ??= { count: 0, fields: {} })
  object.count++
  const entries = Object.entries(value)
  const { fields } = object
  if (fields !== undefined) {
    const added = entries.filter(([name]) => !Object.hasOwn(fields, name)).length
    if (Object.keys(fields).length + added > fieldsMax) becomeValues(all, object)
  }
  for (const [name, part] of entries) {
    if (object.fields === undefined) {
      const below = object.values ?? made(all, shape, depth)
      if (below === undefined) return
      object.values = below
      include(all, below, part, depth + 1)
      continue
    }
    let field = Object.hasOwn(object.fields, name) ? object.fields[name] : undefined
    if (field === undefined) {
      const below = made(all, shape, depth)
      if (below === undefined) continue
      field = { count: 0, shape: below }
      // Not assigned: `__proto__` is a name like any other.
      Object.defineProperty(object.fields, name, {
        value: field,
        enumerable: true,
        writable: true,
        configurable: true,
      })
    }
    field.count++
    include(all, field.shape, part, depth + 1)
  }
}

/** SHAPE-1. */
function made(all: SampledShape, above: Shape, depth: number): Shape | undefined {
  if (depth + 1 < depthMax && all.nodes < nodesMax) {
    all.nodes++
    return { kinds: [] }
  }
  above.cut = true
  return undefined
}

/** SHAPE-2: the shapes of the fields become one. */
function becomeValues(all: SampledShape, object: ObjectShape): void {
  const shapes = Object.values(object.fields ?? {}).map(({ shape }) => shape)
  delete object.fields
  const [first, ...rest] = shapes
  if (first === undefined) return
  object.values = first
  for (const shape of rest) {
    merge(first, shape)
    all.nodes -= countOf(shape)
  }
  all.nodes = Math.max(1, all.nodes)
}

/** Includes what another shape describes; where both are objects or arrays, the parts that only one of them has are optional. */
function merge(into: Shape, from: Shape): void {
  into.kinds = [...new Set([...into.kinds, ...from.kinds])].toSorted()
  if (from.cut === true) into.cut = true
  if (from.array !== undefined) {
    into.array ??= {}
    const { items } = from.array
    if (items !== undefined)
      if (into.array.items === undefined) into.array.items = structuredClone(items)
      else merge(into.array.items, items)
  }
  if (from.object === undefined) return
  if (into.object === undefined) return void (into.object = structuredClone(from.object))
  const { object } = into
  object.count += from.object.count
  const { fields, values } = from.object
  if (object.fields === undefined || fields === undefined) {
    // What differs in its form is not described.
    if (object.fields !== undefined || fields !== undefined) {
      delete object.fields
      into.cut = true
    }
    if (values !== undefined) {
      if (object.values === undefined) object.values = structuredClone(values)
      else merge(object.values, values)
    }
    return
  }
  for (const [name, { count, shape }] of Object.entries(fields)) {
    const known = Object.hasOwn(object.fields, name) ? object.fields[name] : undefined
    if (known === undefined) {
      if (Object.keys(object.fields).length >= fieldsMax) into.cut = true
      else object.fields[name] = { count, shape: structuredClone(shape) }
    } else {
      known.count += count
      merge(known.shape, shape)
    }
  }
}

function countOf({ array, object }: Shape): number {
  let count = 1
  if (array?.items !== undefined) count += countOf(array.items)
  if (object?.values !== undefined) count += countOf(object.values)
  for (const { shape } of Object.values(object?.fields ?? {})) count += countOf(shape)
  return count
}
