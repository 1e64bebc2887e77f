// Values that can be stored, and values that cannot; used by the tests of every place that stores values.

import { types } from 'node:util'

import * as fc from 'fast-check'

/** The seed of property tests; another one with SEED=<number>. */
export const seed = Number(process.env['SEED'] ?? 20_261)

const text = fc.string({ unit: 'binary', maxLength: 12 })
const key = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 8 }) },
  fc.constantFrom('', 'constructor', 'toJSON', 'toString', 'then', 'length', '0', '01'),
)

/** Any value that can be stored. */
export const storable: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false),
    fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 31) - 1, 2 ** 64),
    fc.integer(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    text,
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 20 }),
    fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .dictionary(
        key.filter(name => name !== '__proto__'),
        tie('value'),
        { maxKeys: 4 },
      )
      .map(entries => ({ ...entries })),
  ),
})).value

class Money {
  readonly amount = 5
}
class MyDate extends Date {}
class MyBytes extends Uint8Array {}
class MyList extends Array<unknown> {}

const cycle: Record<string, unknown> = { a: 1 }
cycle['self'] = cycle

/** Doubled at each of 60 levels: far more places than any memory holds. */
function doubled(): unknown {
  let value: unknown = {}
  for (let i = 0; i < 60; i++) value = [value, value]
  return value
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

const thrower = {
  get(): never {
    throw new Error('a getter ran')
  },
  enumerable: true,
}

const args = function () {
  // oxlint-disable-next-line prefer-rest-params -- an arguments object is what is tested
  return arguments
} as (...items: unknown[]) => unknown

/** What cannot be stored, with a part of the reason, after the path. */
export const refusedValues: readonly (readonly [
  what: string,
  value: unknown,
  path: string,
  why: string,
])[] = [
  ['a function', { a: { f: () => 1 } }, 'a.f', 'is a function'],
  ['a symbol', { list: [1, Symbol('x')] }, 'list[1]', 'is a symbol'],
  ['a Map', { m: new Map([[{}, 1]]) }, 'm', 'Array.from(value)'],
  ['a Set', [[new Set()]], '[0][0]', 'Array.from(value)'],
  ['a WeakMap', new WeakMap(), '', 'an instance of WeakMap'],
  ['an instance', { url: new URL('nats://127.0.0.1') }, 'url', 'an instance of URL'],
  ['an instance of a class', [{ money: new Money() }], '[0].money', 'instance of Money'],
  ['an Error', new TypeError('x'), '', 'an instance of TypeError'],
  ['a RegExp', { re: /x/u }, 're', 'an instance of RegExp'],
  ['a Promise', { p: Promise.resolve() }, 'p', 'an instance of Promise'],
  ['a boxed number', [Object(1)], '[0]', 'an instance of Number'],
  ['a boxed text', [Object('x')], '[0]', 'an instance of String'],
  ['a Date of a subclass', { at: new MyDate(5) }, 'at', 'pass new Date(value)'],
  ['bytes of a subclass', { b: new MyBytes(2) }, 'b', 'an instance of MyBytes'],
  ['a list of a subclass', { l: MyList.from([1]) }, 'l', 'an instance of MyList'],
  ['floats', { f: new Float64Array(1) }, 'f', 'an instance of Float64Array'],
  ['a view', { v: new DataView(new ArrayBuffer(2)) }, 'v', 'an instance of DataView'],
  ['a buffer', new ArrayBuffer(2), '', 'an instance of ArrayBuffer'],
  ['an invalid Date', { when: new Date(NaN) }, 'when', 'is an invalid Date'],
  ['a Date with a property', Object.assign(new Date(5), { tz: 1 }), '', 'of its own'],
  ['bytes with a property', Object.assign(Buffer.alloc(3), { n: 1 }), '', 'of its own'],
  ['half a surrogate pair', { a: { text: 'x\udc00' } }, 'a.text', 'half of a surrogate'],
  ['half a pair in a key', { a: { 'x\udc00': 1 } }, 'a', 'half of a surrogate pair'],
  ['a bigint of 65 bits', { big: 2n ** 64n }, 'big', 'pass it as text'],
  ['a bigint below 64 bits', { big: -(2n ** 63n) - 1n }, 'big', 'more than 64 bits'],
  ['a key __proto__', JSON.parse('{"a":{"__proto__":1}}'), 'a', '"__proto__"'],
  ['an object without prototype', { o: Object.create(null) }, 'o', 'has no prototype'],
  [
    'an object that inherits',
    { o: Object.create({ a: 1 }) },
    'o',
    'an instance of Object',
  ],
  ['a symbol key', { o: { [Symbol('k')]: 1, a: 1 } }, 'o', 'a key that is a symbol'],
  ['a symbol key of a list', [Object.assign([1], { [Symbol('k')]: 1 })], '[0]', 'symbol'],
  // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
  ['a hole', { list: [1, , 3] }, 'list[1]', 'is a hole'],
  ['a list of holes', { list: Object.assign([], { length: 3 }) }, 'list[0]', 'is a hole'],
  ['a hole in a long list', Object.assign([0], { length: 50 }), '[1]', 'is a hole'],
  ['a list with a property', ['xbx'.match(/b/u)], '[0]', 'properties of its own'],
  [
    'a long list with a property',
    Object.assign(
      Array.from({ length: 50 }, () => 1),
      { name: 'x' },
    ),
    '',
    'properties of its own',
  ],
  [
    'a getter',
    {
      a: {
        get b() {
          return 1
        },
      },
    },
    'a.b',
    'is a getter',
  ],
  [
    'a getter that throws',
    Object.defineProperty({}, 'a b', thrower),
    '["a b"]',
    'getter',
  ],
  ['a getter of a list', [Object.defineProperty([1, 2], 1, thrower)], '[0][1]', 'getter'],
  ['a hidden property', Object.defineProperty({}, 'a', { value: 1 }), 'a', 'enumerable'],
  ['a Proxy', { p: new Proxy({}, {}) }, 'p', 'is a Proxy'],
  ['a Proxy of a list', [new Proxy([], {})], '[0]', 'is a Proxy'],
  ['an arguments object', args(1, 2), 'length', 'not enumerable'],
  ['a cycle', { cycle }, `cycle${'.self'.repeat(99)}`, 'part of a cycle'],
  ['101 levels', nested(101), '[0]'.repeat(100), 'nested deeper than 100 levels'],
]

/** Refused like {@link refusedValues}, but slowly. */
export const tooMany: (typeof refusedValues)[number] = [
  'an object in too many places',
  doubled(),
  '[0]',
  '1000000 objects',
]

/** The first difference between a value and the one that was read; `undefined` if there is none. */
export function findDifference(a: unknown, b: unknown, path = ''): string | undefined {
  if (Object.is(a, b)) return undefined
  const differs = `${path || 'the value'}: ${describe(a)} is read as ${describe(b)}`
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return differs
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return differs
  if (types.isDate(a))
    return Object.is(a.getTime(), (b as Date).getTime()) ? undefined : differs
  const keys = Reflect.ownKeys(a)
  const found = Reflect.ownKeys(b)
  if (keys.length !== found.length || keys.some((name, i) => name !== found[i]))
    return `${path || 'the value'}: other keys`
  for (const name of keys) {
    const [from, to] = [a, b].map(
      each => (each as Record<string | symbol, unknown>)[name],
    )
    const difference = findDifference(from, to, `${path}.${String(name)}`)
    if (difference !== undefined) return difference
  }
  return undefined
}

function describe(value: unknown): string {
  return Object.is(value, -0) ? '-0' : fc.stringify(value)
}
