// A value for which certainlyFits returns true fits.

import t from 'tap'

import { checkData } from '../../src/codec/data.js'
import { encode } from '../../src/codec/msgpack.js'
import { certainlyFits } from '../../src/codec/size.js'
import { randomFrom } from '../../src/testing/random.js'

await t.test('no value is larger than its upper bound', async t => {
  const random = randomFrom(7, 'sizes')
  const below = (limit: number) => Math.floor(random() * limit)
  const leaves = [
    () => null,
    () => undefined,
    () => true,
    () => below(300) - 150,
    () => random() * 1e300,
    () => -(2 ** 53) + below(1_000),
    () => 2n ** 64n - 1n,
    () => -(2n ** 63n),
    () => '',
    () => '東'.repeat(below(40)),
    () => 'é€𝄞x'.repeat(below(300)),
    () => 'a'.repeat(below(7_000)),
    () => new Date(below(2) === 0 ? -8.64e15 : below(2 ** 31) * 1_000 + 123),
    () => new Uint8Array(below(300)),
    () => Buffer.from('bytes'),
  ]
  const make = (depth: number): unknown => {
    const kind = depth > 2 ? 2 : below(4)
    if (kind === 0) return Array.from({ length: below(9) }, () => make(depth + 1))
    if (kind === 1)
      return Object.fromEntries(
        Array.from({ length: below(9) }, (_, i) => [
          'k€'.repeat(below(9)) + i,
          make(depth + 1),
        ]),
      )
    return leaves[below(leaves.length)]!()
  }
  let fits = 0
  for (let i = 0; i < 2_000; i++) {
    const value = make(0)
    checkData(value, 'value')
    const bytes = encode(value).length
    if (certainlyFits(value, bytes - 1))
      t.fail(`${bytes} bytes are reported to fit into fewer`)
    if (certainlyFits(value, 4 * bytes + 20)) fits++
  }
  t.ok(fits > 500, `${fits} certainly fit`)
})

await t.test('a small state certainly fits, and a large one does not', async t => {
  t.ok(certainlyFits({ balance: 10, holder: 'Ann', open: true }, 1_024))
  t.notOk(certainlyFits({ text: 'x'.repeat(1_024) }, 1_024))
  t.notOk(
    certainlyFits(
      Array.from({ length: 1_024 }, () => 1),
      1_024,
    ),
  )
})
