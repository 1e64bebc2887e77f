// Hostile MessagePack is refused before it is decoded: by size, count, depth and kind.

import t from 'tap'

import { decode, encode } from '../../src/codec/msgpack.js'

const hostile: [string, Uint8Array, RegExp][] = [
  ['nothing', Uint8Array.of(), /ends within/],
  [
    'a list of 4 billion',
    Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff, 1),
    /claims 4294967295 more values/,
  ],
  ['a map of 4 billion', Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff, 1), /claims/],
  [
    'a text of 4 billion bytes',
    Uint8Array.of(0xdb, 0xff, 0xff, 0xff, 0xff, 1),
    /ends within/,
  ],
  ['bytes without their length', Uint8Array.of(0xc6, 1), /ends within/],
  [
    'lists that claim the same bytes, one in the other',
    Buffer.concat(Array.from({ length: 100 }, () => Buffer.from([0xdc, 0x01, 0x00]))),
    /claims/,
  ],
  ['lists 129 deep', new Uint8Array(130).fill(0x91), /nested deeper than 128/],
  ['maps a million deep', new Uint8Array(2_000_000).fill(0x81), /nested deeper than 128/],
  ['a regular expression', Uint8Array.of(0xc7, 1, 0x78, 0xc0), /extension 120/],
  ['an error', Uint8Array.of(0xd4, 0x65, 0x90), /extension 101/],
  ['a record structure', Uint8Array.of(0xd4, 0x72, 0x40), /extension 114/],
  [
    'an extension of 4 billion bytes',
    Uint8Array.of(0xc9, 0xff, 0xff, 0xff, 0xff, 0xff),
    /ends within/,
  ],
  ['a byte that begins no value', Uint8Array.of(0xc1), /begins no value/],
  ['two values', Uint8Array.of(1, 2), /goes on for 1 bytes/],
]

for (const [what, bytes, why] of hostile)
  await t.test(`${what} is refused`, async t => {
    t.throws(() => decode(bytes), why)
  })

await t.test('what can be stored is within the bounds', async t => {
  let deep: unknown = 1
  for (let i = 0; i < 99; i++) deep = i % 2 === 0 ? [deep] : { deep }
  const values = [
    { events: [{ type: 'a', data: deep }] },
    Array.from({ length: 70_000 }, (_, i) => i),
    Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, null])),
    [
      new Date(0),
      Buffer.alloc(70_000),
      new Uint8Array(300),
      2n ** 63n,
      -0,
      undefined,
      1.5,
    ],
    ['x'.repeat(31), 'x'.repeat(32), 'x'.repeat(300), 'x'.repeat(70_000)],
  ]
  for (const value of values) t.strictSame(decode(encode(value)), value)
})
