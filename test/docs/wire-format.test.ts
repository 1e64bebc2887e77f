// The tables of docs/wire-format.md match what the code computes.

import t from 'tap'

import type { HeaderTable } from '../../src/codec/header-row.js'
import {
  commandHeaders,
  commitHeaders,
  deadLetterHeaders,
  messageHeaders,
  redrivenHeaders,
  timerHeaders,
} from '../../src/codec/header-table.js'
import { decode } from '../../src/codec/msgpack.js'
import { parseAddress } from '../../src/model/address.js'
import { partitionOf } from '../../src/model/partition.js'
import {
  documentsBucketOf,
  decodeToken,
  encodeToken,
  queuedSubjects,
  queueStream,
  queueSubject,
  queueSubjects,
  timerSubject,
  timerSubjects,
} from '../../src/nats/subjects.js'
import { encodePartitionState } from '../../src/delivery/group/partition-state.js'
import { readPage, tableUnder } from './markdown.js'

const page = 'docs/wire-format.md'

await t.test('the page shows ids as the tokens that the code computes', async t => {
  const rows = tableUnder(page, 'Ids as tokens')
  t.ok(rows.length > 5)
  for (const [id, token] of rows) {
    t.equal(encodeToken(id!), token)
    t.equal(decodeToken(token!), id)
  }
})

await t.test('the page shows the partitions that the code computes', async t => {
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

await t.test(
  'the page lists the headers of every record, and which are required',
  async t => {
    const tables: [heading: string, HeaderTable<never>][] = [
      ['## Headers', commitHeaders],
      ['Durable commands', commandHeaders],
      ['Messages of plain code', messageHeaders],
      ['Dead letters', deadLetterHeaders],
      ['Waiting timers', timerHeaders],
    ]
    for (const [heading, table] of tables) {
      const listed = tableUnder(page, heading).flatMap(([names, , presence]) =>
        names!.split(', ').map(name => ({ name, isRequired: presence === 'required' })),
      )
      const ours = listed.filter(({ name }) => !/^(?:Nats)?-|^Nats-/.test(name))
      const wanted = table.map(({ name, isRequired }) => ({ name, isRequired }))
      const byName = (one: { name: string }, other: { name: string }) =>
        one.name < other.name ? -1 : 1
      t.strictSame(ours.toSorted(byName), wanted.toSorted(byName), heading)
    }
    const text = readPage(page)
    const start = text.indexOf('A redriven message is on')
    const part = text.slice(start, text.indexOf('### Dead letters', start))
    for (const { name } of redrivenHeaders) t.ok(part.includes(`\`${name}\``), name)
  },
)

await t.test('the page lists the streams of queues', async t => {
  const rows = tableUnder(page, 'Queues').map(row => row.slice(0, 2))
  const wanted = (['inbox', 'topic', 'dead'] as const).map(family => [
    queueStream('<ns>', family),
    queueSubjects('<ns>', family),
  ])
  t.strictSame(rows, wanted)
  const { stream, prefix } = documentsBucketOf('<ns>')
  const text = readPage(page)
  for (const name of [stream, `${prefix}.>`]) t.ok(text.includes(`\`${name}\``), name)
})

await t.test('the page lists the subjects of a timer', async t => {
  const text = readPage(page)
  const part = text.slice(text.indexOf('## Timers'), text.indexOf('## Group checkpoints'))
  const place = ['<p>', '<type>', '<id>']
  const plain = (subject: string) => decodeURIComponent(subject)
  for (const name of [
    queueStream('<ns>', 'due'),
    timerSubjects('<ns>'),
    queueSubjects('<ns>', 'due'),
    queuedSubjects('<ns>', 'due'),
    plain(timerSubject('<ns>', [...place, '<name>'])),
    plain(queueSubject('<ns>', 'due', place)),
  ])
    t.ok(part.includes(`\`${name}\``), name)
})

await t.test('the page shows every key of a checkpoint document', async t => {
  const failing = {
    key: 'k',
    position: 1,
    attempts: 1,
    firstAt: 1,
    nextAt: 1,
    error: 'e',
  }
  const owner = { id: 'n', incarnation: 1 }
  const bytes = encodePartitionState({ owner, epoch: 1, floor: 1, deferred: [failing] })
  const names = (value: object) => Object.keys(value)
  const written = decode(bytes) as { owner: object; failing: object[] }
  const text = readPage(page)
  const part = text.slice(text.indexOf('## Group checkpoints'))
  for (const name of [written, written.owner, written.failing[0]!].flatMap(names))
    t.ok(part.includes(`"${name}"`), name)
})
