// The tables of docs/wire-format.md hold what the code computes.

import t from 'tap'

import { parseAddress } from '../../src/model/address.js'
import { partitionOf } from '../../src/model/partition.js'
import { decodeToken, encodeToken } from '../../src/nats/subjects.js'
import { readPage, tableUnder } from './markdown.js'

const page = 'docs/wire-format.md'

await t.test('the examples of ids as tokens', async t => {
  const rows = tableUnder(page, 'Ids as tokens')
  t.ok(rows.length > 5)
  for (const [id, token] of rows) {
    t.equal(encodeToken(id!), token)
    t.equal(decodeToken(token!), id)
  }
})

await t.test('the examples of partitions', async t => {
  const rows = tableUnder(page, 'Partitions')
  t.ok(rows.length > 2)
  for (const [actor, hash, of16, of4] of rows) {
    const address = parseAddress(actor!)
    t.equal(String(partitionOf(address, 2 ** 32)), hash, actor!)
    t.equal(String(partitionOf(address, 16)), of16, actor!)
    t.equal(String(partitionOf(address, 4)), of4, actor!)
  }
  const alice = partitionOf({ type: 'account', id: 'alice' }, 16)
  t.ok(readPage(page).includes(`cairn.tenant-a.log.${alice}.account.alice`))
})
