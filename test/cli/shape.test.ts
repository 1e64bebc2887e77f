// Inferred shapes: what they say of samples, and their bounds.

import { anything, array, assert, property } from 'fast-check'
import t from 'tap'

import { schemaOfShape } from '../../src/cli/events/json-schema.js'
import { addSample, newShape } from '../../src/cli/events/shape.js'
import { typeOf } from '../../src/cli/events/typescript.js'

function typeOfSamples(...samples: readonly unknown[]): string {
  const shape = newShape()
  for (const sample of samples) addSample(shape, sample)
  return typeOf(schemaOfShape(shape.shape)).replaceAll(/\s+/g, ' ')
}

await t.test('a type says what the samples have in common', async t => {
  t.equal(typeOfSamples(), 'unknown')
  t.equal(typeOfSamples(1, 'a', null, undefined), 'number | null | string')
  t.equal(typeOfSamples({ a: 1 }, { a: 2, b: true }), '{ a: number b?: boolean }')
  t.equal(typeOfSamples([], [{ a: 1 }, { a: 'x' }]), '{ a: number | string }[]')
  t.equal(typeOfSamples([1], { a: [] }), 'number[] | { a: unknown[] }')
  t.equal(
    typeOfSamples({ d: new Date(), u: Buffer.from('a'), b: 1n, 'a-b': 0 }),
    '{ "a-b": number b: bigint d: Date u: Uint8Array }',
  )
  t.match(
    typeOfSamples(JSON.parse('{"__proto__":{"x":1}}')),
    /__proto__: \{ x: number \}/,
  )
})

await t.test('an object of many names is one of values by key', async t => {
  const byId = (from: number) =>
    Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`id${from + i}`, { n: i }]))
  t.equal(typeOfSamples(byId(0), byId(50), byId(100)), 'Record<string, { n: number }>')
})

await t.test('a shape is bounded, whatever the samples are', async t => {
  const wide = (depth: number): unknown =>
    depth === 0
      ? 1
      : Object.fromEntries(
          Array.from({ length: 30 }, (_, i) => [`f${i}`, wide(depth - 1)]),
        )
  const shape = newShape()
  addSample(shape, wide(3))
  let deep: unknown = 1
  for (let i = 0; i < 50; i++) deep = { deep }
  addSample(shape, deep)
  t.ok(shape.nodes <= 2_000, `${shape.nodes} shapes`)
  t.ok(JSON.stringify(shape).length < 200_000)
  t.type(typeOf(schemaOfShape(shape.shape)), 'string')
})

await t.test('any values have a type', async () => {
  const value = anything({ withDate: true, withBigInt: true, withTypedArray: true })
  assert(
    property(array(value), samples => {
      const shape = newShape()
      for (const sample of samples) addSample(shape, sample)
      const kept = JSON.parse(JSON.stringify(shape)) as typeof shape
      return typeOf(schemaOfShape(kept.shape)) === typeOf(schemaOfShape(shape.shape))
    }),
  )
})

await t.test('a schema that contains itself has a type', async t => {
  const tree = {
    type: 'object',
    properties: {
      left: { $ref: '#' },
      kind: { enum: ['leaf', 1] },
      far: { $ref: 'x:y' },
    },
    required: ['kind'],
  }
  t.match(typeOf(tree), 'kind: "leaf" | 1')
  t.match(typeOf(tree), 'far?: unknown')
  t.equal(
    typeOf({ anyOf: [{ const: 'a' }, { allOf: [{ type: 'string' }] }] }),
    '"a" | string',
  )
  t.equal(typeOf({ type: 'array', prefixItems: [{ type: 'null' }] }), '[null]')
})
