import t from 'tap'

import { defined } from '../../src/model/defined.js'

await t.test('undefined properties are left out, all others are kept', async t => {
  const given = { a: 1, b: undefined, c: null, d: false } as {
    a: number
    b: string | undefined
    c: null
    d?: boolean
  }
  const result: { a: number; b?: string; c: null; d?: boolean } = defined(given)
  t.strictSame(result, { a: 1, c: null, d: false })
  t.notOk('b' in result)
})
