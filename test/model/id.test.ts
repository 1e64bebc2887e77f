import t from 'tap'

import { newId, setIdSource } from '../../src/model/id.js'

await t.test('ids are UUIDs of version 4, and all of them differ', async t => {
  const ids = Array.from({ length: 10_000 }, () => newId())
  const isOne = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  t.strictSame(
    ids.filter(id => !isOne.test(id)),
    [],
  )
  t.equal(new Set(ids).size, ids.length)
  for (let index = 0; index < 36; index++) {
    const digits = new Set(ids.map(id => id[index]))
    const wanted = [8, 13, 14, 18, 23].includes(index) ? 1 : index === 19 ? 4 : 16
    t.equal(digits.size, wanted, `index ${index} takes every value that it may have`)
  }
})

await t.test('ids come from a source while there is one, and it has one', async t => {
  const given = ['one', undefined, 'two']
  setIdSource(() => given.shift())
  t.teardown(() => setIdSource(undefined))
  t.equal(newId(), 'one')
  t.match(newId(), /^[0-9a-f-]{36}$/)
  t.equal(newId(), 'two')
  given.push('three')
  setIdSource(undefined)
  t.match(newId(), /^[0-9a-f-]{36}$/)
})
