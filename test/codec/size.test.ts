// A value for which certainlyFits returns true fits.

import * as fc from 'fast-check'
import t from 'tap'

import { encode } from '../../src/codec/msgpack.js'
import { certainlyFits } from '../../src/codec/size.js'
import { seed, storable } from '../support/values.js'

await t.test('no value is larger than its upper bound', async t => {
  let fits = 0
  const property = fc.property(storable, value => {
    const bytes = encode(value).length
    if (certainlyFits(value, 4 * bytes + 20)) fits++
    return !certainlyFits(value, bytes - 1)
  })
  fc.assert(property, { seed, numRuns: 5_000 })
  t.ok(fits > 3_750, `${fits} certainly fit`)
  t.notOk(certainlyFits('東'.repeat(7_000), 21_002))
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
