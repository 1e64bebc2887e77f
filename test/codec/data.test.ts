import * as fc from 'fast-check'
import t from 'tap'

import { checkData } from '../../src/codec/data.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { isCairnError, messageOf } from '../../src/model/errors.js'
import {
  findDifference,
  refusedValues,
  seed,
  storable,
  tooMany,
} from '../support/values.js'

function refusal(value: unknown): string | undefined {
  try {
    checkData(value, 'test value')
  } catch (error) {
    if (isCairnError(error, 'invalid-data')) return messageOf(error)
    throw error
  }
  return undefined
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

function wide(keys: number): unknown {
  return Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key ${i}`, i]))
}

await t.test(
  'a value that would be read back differently is refused with its path',
  async t => {
    for (const [what, value, path, why] of [...refusedValues, tooMany]) {
      const message = refusal(value) ?? `${what} is not refused`
      const begin = `The test value cannot be stored: ${path === '' ? 'the value itself' : path}`
      t.equal(message.slice(0, begin.length), begin, message)
      t.ok(message.includes(why), message)
    }
  },
)

await t.test('any value that is accepted is read back unchanged', async t => {
  const property = fc.property(storable, value => {
    const difference = refusal(value) ?? findDifference(value, decode(encode(value)))
    if (difference !== undefined) throw new Error(difference)
  })
  fc.assert(property, { seed, numRuns: 10_000 })
  t.pass(`seed ${seed}`)
})

await t.test('the check runs no code of the value', async t => {
  const touched: string[] = []
  const proxy = new Proxy(
    {},
    {
      get: (_target, name) => void touched.push(`get ${String(name)}`),
      getPrototypeOf: () => (touched.push('getPrototypeOf'), null),
      ownKeys: () => (touched.push('ownKeys'), []),
    },
  )
  t.match(refusal([proxy]), /is a Proxy/)
  const value = { get a() { touched.push('getter'); return 1 } } // prettier-ignore
  t.match(refusal(value), /getter/)
  t.strictSame(touched, [])
})

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
  wide(70_000),
  -0,
  { constructor: { name: 1 }, toJSON: 1 },
  Array.from({ length: 50 }, () => -0),
  new Uint8Array([1, 2]),
  new Uint8Array(new ArrayBuffer(10), 3, 4),
  Buffer.from('bytes'),
  [Buffer.alloc(0), new Uint8Array()],
  nested(100),
]

await t.test('an accepted value is read back unchanged', async t => {
  for (const value of stored) {
    t.equal(refusal(value), undefined)
    t.equal(findDifference(value, decode(encode(value))), undefined)
  }
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

await t.test('bytes that are not exactly one value do not decode', async t => {
  for (const bytes of [[], [0x81], [0x81, 0xa1, 0x61], [0x01, 0x02], [0xc4, 0x05, 0x01]])
    t.throws(() => decode(Uint8Array.from(bytes)), bytes.join())
})
