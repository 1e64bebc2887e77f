// Values that nobody can change, and what freezing them visits.

import { isDeepStrictEqual } from 'node:util'

import * as fc from 'fast-check'
import t from 'tap'

import { decode, encode } from '../../src/codec/msgpack.js'
import { freeze, handOut } from '../../src/model/read-only.js'
import { findRefusedChange } from '../../src/model/refused-change.js'
import { findDifference, seed, storable } from '../support/values.js'

function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (ArrayBuffer.isView(value) || value instanceof Date) return true
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen)
}

await t.test('any plain data is frozen deeply, and stays what it is', async t => {
  const property = fc.property(storable, value => {
    const before = decode(encode(value))
    const frozen = freeze(value)
    const handed = handOut(frozen)
    if (!Object.is(frozen, value)) return false
    if (!isDeepFrozen(frozen) || !isDeepFrozen(handed)) return false
    return findDifference(before, handed) === undefined
  })
  fc.assert(property, { seed, numRuns: 3_000 })
  t.pass(`seed ${seed}`)
})

await t.test('parts that were frozen before are not visited again', async t => {
  const visited: string[] = []
  const part = (name: string) =>
    ({ get deep() { visited.push(name); return null } }) // prettier-ignore
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(part)
  const first = freeze({ list: [a, b, c], map: { a, b } })
  visited.length = 0
  freeze({ ...first, list: [...first.list, d] }, first)
  t.strictSame(visited, ['d'], 'appended')
  visited.length = 0
  freeze({ ...first, list: first.list.slice(1) }, first)
  freeze({ ...first, list: [a, c] }, first)
  freeze({ map: { b, a }, list: first.list }, first)
  freeze(first, first)
  t.strictSame(visited, [], 'removed, reordered, unchanged')
  freeze({ ...first, list: [part('new'), ...first.list] }, first)
  t.strictSame(visited, ['new'], 'put first')
})

await t.test('an object that somebody else has frozen is entered', async t => {
  const value = freeze(Object.freeze({ list: Object.freeze([{ n: 1 }]) }))
  t.ok(isDeepFrozen(value))
})

await t.test('cycles and shared parts end', async t => {
  const cycle: { self?: unknown; list: unknown[] } = { list: [] }
  cycle.self = cycle
  cycle.list.push(cycle)
  t.ok(Object.isFrozen(freeze(cycle)))
  let doubled: object = {}
  for (let i = 0; i < 60; i++) doubled = { a: doubled, b: doubled }
  t.ok(Object.isFrozen(freeze(doubled)))
})

await t.test('a Map and a Set keep what they hold', async t => {
  const map = freeze(new Map([['a', { n: 1 }]]))
  const set = freeze(new Set([{ n: 1 }]))
  t.throws(() => map.set('b', { n: 2 }), /read only collection/)
  t.throws(() => map.delete('a'), TypeError)
  t.throws(() => map.clear(), TypeError)
  t.throws(() => set.add({ n: 2 }), TypeError)
  t.throws(() => (map.get('a')!.n = 2), TypeError)
  t.throws(() => ([...set][0]!.n = 2), TypeError)
  t.strictSame([...new Map(map).set('b', { n: 2 }).keys()], ['a', 'b'], 'a copy is free')
  t.equal(structuredClone(map).set('c', { n: 3 }).size, 2)
})

await t.test('a Date and bytes are handed out as copies, the rest is shared', async t => {
  const value = freeze({
    at: new Date(5),
    bytes: Buffer.from('x'),
    rest: { n: 1 },
    map: new Map([['at', new Date(6)]]),
    set: new Set([new Float64Array([1])]),
  })
  const handed = handOut(value)
  handed.at.setTime(9)
  handed.bytes.fill(0)
  handed.map.get('at')!.setTime(9)
  ;[...handed.set][0]![0] = 9
  t.equal(value.at.getTime(), 5)
  t.equal(value.bytes.toString(), 'x')
  t.equal(value.map.get('at')!.getTime(), 6)
  t.equal([...value.set][0]![0], 1)
  t.equal(handed.rest, value.rest)
  t.throws(() => (handed.rest.n = 2), TypeError)
  t.throws(() => handed.map.set('b', new Date()), TypeError)
  t.throws(() => ((handed as { n?: number }).n = 2), TypeError)
  const next = freeze({ ...handed, rest: { n: 2 } }, value)
  t.not(handOut(next).at, next.at, 'also in a later state')
  const date = freeze(new Date(5))
  handOut(date).setTime(9)
  t.equal(date.getTime(), 5)
})

await t.test('a copy has what its original has', async t => {
  const key = Symbol('key')
  const date = Object.assign(new Date(5), { zone: 'utc', [key]: 1 })
  const list = Object.assign([new Date(6)], { label: 'x' })
  list.length = 3 // Two holes.
  const map = Object.assign(new Map([['at', new Date(7)]]), { label: 'y' })
  const set = Object.assign(new Set([new Date(8)]), { label: 'z' })
  const bare = Object.assign(Object.create(null) as object, { at: new Date(9) })
  for (const value of [date, list, map, set, bare, { at: date, [key]: list }]) {
    const copy = handOut<object>(freeze<object>(value))
    t.not(copy, value)
    t.ok(isDeepStrictEqual(copy, value))
  }
})

await t.test('an instance of another class is left as it is', async t => {
  class Counter {
    count = 0
  }
  const counter = freeze({ counter: new Counter() }).counter
  counter.count++
  t.equal(counter.count, 1)
})

await t.test('a refused change is found with its place', async t => {
  const state = freeze({
    n: 1,
    'a b': [1],
    lines: [{ price: 1 }, { price: 2 }],
    map: new Map([['a', { n: 1 }]]),
  })
  type State = typeof state
  const changes: [(state: State) => unknown, string][] = [
    [s => (s.n = 2), 'n'],
    [s => s.n++, 'n'],
    [s => delete (s as Partial<State>).n, 'n'],
    [s => Object.defineProperty(s, 'n', { value: 2 }), 'n'],
    [s => Object.assign(s, { extra: 1 }), 'extra'],
    [s => s['a b'].push(2), '["a b"][1]'],
    [s => s.lines.reverse(), 'lines[0]'],
    [s => s.lines.pop(), 'lines[1]'],
    [s => (s.lines.length = 0), 'lines.length'],
    [s => (s.lines[0]!.price = 2), 'lines[0].price'],
    [s => s.lines.forEach(line => line.price++), 'lines[0].price'],
    [s => s.map.set('b', { n: 2 }), 'map'],
    [s => (s.map.get('a')!.n = 2), 'map.n'],
  ]
  for (const [change, path] of changes) {
    let thrown: unknown
    try {
      change(state)
    } catch (error) {
      thrown = error
    }
    const wrapped = new Error('Unable to evaluate', { cause: thrown })
    for (const error of [thrown, wrapped]) {
      const found = findRefusedChange(error, watch => change(watch('state', state)))
      t.strictSame(found, { name: 'state', path }, path)
    }
  }
  t.equal(
    findRefusedChange(new TypeError('other'), () => t.fail('is not called again')),
    undefined,
  )
  const own = Object.freeze({ n: 1 })
  const slip = () => ((own as { n: number }).n = 2)
  t.equal(findRefusedChange(new TypeError('read only property'), slip), undefined)
})
