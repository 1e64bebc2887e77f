import t from 'tap'

import { checkData } from '../../src/codec/data.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { isCairnError, messageOf } from '../../src/model/errors.js'

function refusal(value: unknown): string | undefined {
  try {
    checkData(value, 'test value')
  } catch (error) {
    if (isCairnError(error, 'invalid-data')) return messageOf(error)
    throw error
  }
  return undefined
}

class Money {
  readonly amount = 5
}

const cyclic: unknown[] = []
cyclic.push([cyclic])

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

function wide(keys: number): unknown {
  return Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key ${i}`, i]))
}

const refused: [unknown, string][] = [
  [() => 1, 'the value itself is a function'],
  [Symbol('x'), 'the value itself is a symbol'],
  ['\ud83d', 'the value itself contains half of a surrogate pair'],
  [2n ** 64n, 'the value itself is a bigint of more than 64 bits'],
  [-(2n ** 63n) - 1n, 'the value itself is a bigint of more than 64 bits'],
  [new Map(), 'the value itself is an instance of Map'],
  [new Set(), 'the value itself is an instance of Set'],
  [/x/, 'the value itself is an instance of RegExp'],
  [new Money(), 'the value itself is an instance of Money'],
  [Promise.resolve(), 'the value itself is an instance of Promise'],
  [new Error('x'), 'the value itself is an instance of Error'],
  [new Float64Array(1), 'the value itself is an instance of Float64Array'],
  [new ArrayBuffer(1), 'the value itself is an instance of ArrayBuffer'],
  [new Date(NaN), 'the value itself is an invalid Date'],
  [{ a: { b: [0, () => 1] } }, 'a.b[1] is a function'],
  [[[{ x: new Money() }]], '[0][0].x is an instance of Money'],
  [{ a: { money: new Money() } }, 'a.money is an instance of Money'],
  [{ deep: { 'x\udc00': 1 } }, 'deep has a key that contains half of a surrogate pair'],
  [JSON.parse('{"__proto__": 1}'), 'the value itself has a key "__proto__"'],
  [JSON.parse('{"a": {"__proto__": {}}}'), 'a has a key "__proto__"'],
  [nested(101), 'is nested deeper than 100 levels, or part of a cycle'],
  [cyclic, 'is nested deeper than 100 levels, or part of a cycle'],
]

await t.test(
  'a value that would be read back differently is refused with its path',
  async t => {
    for (const [value, problem] of refused) {
      const message = refusal(value) ?? 'not refused'
      t.ok(message.includes(problem), message)
      t.match(message, /^The test value cannot be stored: /)
    }
  },
)

const stored: unknown[] = [
  null,
  undefined,
  true,
  0,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 53,
  -(2 ** 53),
  Number.MAX_VALUE,
  '',
  'größer 🪨',
  'x'.repeat(100_000),
  0n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 64n - 1n,
  new Date(0),
  new Date(-62_135_596_800_001),
  new Date(8.64e15),
  new Date(-8.64e15),
  new Date(1_700_000_000_123),
  [],
  {},
  [undefined, null, [undefined]],
  { a: undefined, b: null },
  { toString: 1, constructor: 2, hasOwnProperty: 3, '': 4, '1': 5 },
  Array.from({ length: 70_000 }, (_, i) => i),
  wide(65_535),
  nested(100),
]

await t.test('an accepted value is read back unchanged', async t => {
  for (const value of stored) {
    t.equal(refusal(value), undefined)
    t.strictSame(decode(encode(value)), value)
  }
})

await t.test('objects without a prototype are plain objects', async t => {
  const bare = Object.assign(Object.create(null) as object, { a: 1 })
  t.equal(refusal(bare), undefined)
  t.strictSame(decode(encode(bare)), { a: 1 })
})

await t.test('a value used twice is not a cycle', async t => {
  const shared = { a: [1] }
  t.equal(refusal([shared, { shared }]), undefined)
  t.strictSame(decode(encode([shared, { shared }])), [shared, { shared }])
})

await t.test('bytes are copied by encoding and by decoding', async t => {
  const bytes = Uint8Array.of(1, 2, 3)
  const packed = encode({ bytes })
  bytes.fill(0)
  const found = decode(packed) as { bytes: Uint8Array }
  t.strictSame([...found.bytes], [1, 2, 3])
  packed.fill(0)
  t.strictSame([...found.bytes], [1, 2, 3])
})

await t.test(
  'a value that checkData accepts and msgpackr refuses is invalid data',
  async t => {
    t.throws(() => encode(wide(65_536)), { code: 'invalid-data' })
    t.throws(() => encode({ constructor: 1, toJSON: 1 }), { code: 'invalid-data' })
  },
)

await t.test('bytes that are not exactly one value do not decode', async t => {
  for (const bytes of [[], [0x81], [0x81, 0xa1, 0x61], [0x01, 0x02], [0xc4, 0x05, 0x01]])
    t.throws(() => decode(Uint8Array.from(bytes)), bytes.join())
})
