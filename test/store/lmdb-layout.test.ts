import t from 'tap'

import {
  headKey,
  headRange,
  indexKey,
  keyAfter,
  encodeHead,
  encodeLogRecord,
  decodeHead,
  decodeRun,
  entriesOfRun,
  extendRun,
  parseHeadKey,
  parseIndexKey,
  parsePositionKey,
  decodeLogRecord,
  positionKey,
} from '../../src/store/lmdb/layout.js'
import { actorOf, span } from '../contract/store/support.js'

const numbers = [0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]

await t.test('keys of numbers sort like the numbers, and decode to them', async t => {
  for (const [i, number] of numbers.entries()) {
    t.equal(parsePositionKey(positionKey(number)), number)
    const before = numbers[i - 1]
    if (before === undefined) continue
    t.ok(Buffer.compare(positionKey(before), positionKey(number)) < 0)
    t.ok(Buffer.compare(indexKey(1, before, 9), indexKey(1, number, 0)) < 0)
    t.ok(Buffer.compare(indexKey(before, 9, 9), indexKey(number, 0, 0)) < 0)
    t.ok(Buffer.compare(indexKey(1, 1, before), indexKey(1, 1, number)) < 0)
  }
  t.strictSame(parseIndexKey(indexKey(1, 2 ** 40, 2 ** 53 - 1)), {
    version: 2 ** 40,
    position: 2 ** 53 - 1,
  })
})

const runs = [
  [[1, 1]],
  [
    [0, 3],
    [0, 4],
    [1, 5],
    [129, 132],
    [2 ** 33, 2 ** 34],
    [2 ** 40, 2 ** 53 - 1],
  ],
  span(1, 16).map(i => [3 * i, 100 * i]),
].map(run =>
  run.map(([version, position]) => ({ version: version!, position: position! })),
)

await t.test('runs of index entries decode as they were extended', async t => {
  for (const entries of runs) {
    let run: Buffer = Buffer.alloc(0)
    for (const [i, { version, position }] of entries.entries()) {
      const before = entries[i - 1]
      if (before !== undefined)
        run = extendRun(run, version - before.version, position - before.position)
      t.strictSame(decodeRun({ version, position }, run), entries.slice(0, i + 1))
      t.equal(entriesOfRun(run), i + 1)
      const head = { actorNumber: 7, version, position, run }
      t.strictSame(decodeHead(encodeHead(head), 3), head)
    }
  }
  const old = { actorNumber: 7, version: 2 ** 33, position: 2 ** 34, run: undefined }
  for (const layout of [1, 2]) t.strictSame(decodeHead(encodeHead(old), layout), old)
})

await t.test('bytes that are no run are refused', async t => {
  const last = { version: 8, position: 9 }
  for (const bytes of [[0x80], [1], [9, 1], [1, 9], [1, 0x81]])
    t.throws(() => decodeRun(last, Buffer.from(bytes)), RangeError, String(bytes))
})

await t.test('every actor has its own key, within the range of its type', async t => {
  const ids = ['a', '\0', 'a\0', 'a\0b', '\u0001', '\uffff', '🪨', 'a/b', 'x'.repeat(256)]
  const types = ['a', 'A', 'aa', 'a-', 'z'.repeat(63)]
  const seen = new Set<string>()
  for (const type of types)
    for (const id of ids) {
      const key = headKey(actorOf(id, type))
      seen.add(key.toString('hex'))
      t.strictSame(parseHeadKey(key), { type, id })
      t.ok(key.length <= 1978, 'LMDB’s limit')
      for (const other of types) {
        const { start, end } = headRange(other)
        const within = Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0
        t.equal(within, other === type, `${type} in the range of ${other}`)
      }
      const { start, end } = headRange(undefined)
      t.ok(Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0)
    }
  t.equal(seen.size, ids.length * types.length)
})

await t.test('there is no key between a key and the key after it', async t => {
  const key = headKey(actorOf('a'))
  t.ok(Buffer.compare(key, keyAfter(key)) < 0)
  t.ok(Buffer.compare(keyAfter(key), headKey(actorOf('a\0\0'))) < 0)
})

await t.test(
  'records decode as encoded, and damaged ones become a body only',
  async t => {
    const actor = actorOf('🪨')
    const headers = { 'Cairn-Wire': '1', '': 'x' }
    const body = Buffer.from('the body')
    const record = encodeLogRecord(actor, headers, body)
    t.strictSame(decodeLogRecord(record), { actor, headers, body })
    t.strictSame(decodeLogRecord(encodeLogRecord(actor, {}, Buffer.alloc(0))), {
      actor,
      headers: {},
      body: Buffer.alloc(0),
    })
    const damaged = [
      Buffer.alloc(0),
      record.subarray(0, 3),
      record.subarray(0, 9),
      Buffer.concat([Buffer.of(0xff), record]),
      Buffer.concat([Buffer.of(0, 0, 0, 1, 0xc0), body]),
      Buffer.concat([Buffer.of(0, 0, 0, 4, 0x93, 1, 2, 3), body]),
    ]
    for (const bytes of damaged) {
      const found = decodeLogRecord(bytes)
      t.notOk('actor' in found)
      t.strictSame([found.headers, found.body], [{}, bytes])
    }
  },
)
