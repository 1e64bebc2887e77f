// Contract: a record that is not a readable commit is reported, and reading continues.

import type { MalformedRecord } from '../../../src/model/commit.js'
import type { RecordedEvent } from '../../../src/model/event.js'
import {
  account,
  actorOf,
  collect,
  commitHeaders,
  deposits,
  fill,
  followed,
  type InjectedRecord,
  isConflict,
  mustAppend,
  type Suite,
} from './support.js'

const garbage = Buffer.from('not a commit, whatever it is')

/** Records without a valid envelope: they take no version. */
const foreign: [string, InjectedRecord][] = [
  ['without headers', { headers: {}, body: garbage }],
  ['with headers of something else', { headers: { Other: 'yes' }, body: garbage }],
  ['without a body', { headers: {}, body: new Uint8Array(0) }],
  [
    'of no wire version at all',
    { headers: { ...commitHeaders(account, 2), 'Cairn-Wire': 'x' }, body: garbage },
  ],
  [
    'with impossible versions',
    { headers: { ...commitHeaders(account, 2), 'Cairn-Versions': '9-2' }, body: garbage },
  ],
]

function brief(item: RecordedEvent | MalformedRecord): string {
  return item.kind === 'event' ? String(item.version) : 'malformed'
}

export function testMalformed(test: Suite): void {
  for (const [what, record] of foreign)
    test(`a record ${what} is reported and takes no version`, async (t, place) => {
      const [store, other] = [await place.open(), await place.open()]
      const { position } = await mustAppend(store, account, deposits(1))
      await other.head(account)
      await place.injectRecord(account, record)

      const head = await store.head(account)
      t.strictSame([head.version, head.position], [1, position + 1])
      const last = head.last as MalformedRecord
      t.equal(last.kind, 'malformed')
      t.equal(last.position, position + 1)
      t.strictSame(last.actor, account)
      t.notOk('versions' in last, 'it takes no version')
      t.ok(last.reason.length > 0 && last.source.length > 0, last.reason)
      t.ok(Buffer.from(record.body).equals(last.raw), 'its bytes are there')
      t.match(last.headers, record.headers, 'its headers are there')

      // The other store's cache does not contain the record yet.
      const next = await mustAppend(other, account, deposits(2), { expected: 1 })
      t.strictSame([next.version, next.position], [2, position + 2])
      const events = await collect(store.read(account))
      t.strictSame(events.map(brief), ['1', 'malformed', '2'])
      t.ok(Buffer.from(record.body).equals((events[1] as MalformedRecord).raw))
      const backwards = await collect(store.read(account, { backwards: true }))
      t.strictSame(backwards.map(brief), ['2', 'malformed', '1'])
      t.strictSame(
        (await collect(store.readAll())).map(({ kind, position: at }) => [kind, at]),
        [
          ['commit', position],
          ['malformed', position + 1],
          ['commit', position + 2],
        ],
      )
      t.equal((await store.head(account)).version, 2, 'the next commit is the head')
    })

  test('a commit of a newer wire version counts its versions, although it cannot be read', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await fill(store, account, [1])
    await other.head(account)
    // A later format may change all but these two headers.
    const headers = { 'Cairn-Wire': '4', 'Cairn-Versions': '2-3', 'Cairn-New': 'yes' }
    await place.injectRecord(account, { headers, body: garbage })

    const head = await store.head(account)
    t.equal(head.version, 3)
    const last = head.last as MalformedRecord
    t.strictSame(last.versions, { first: 2, last: 3 })
    t.match(last.reason, /wire version .*4.*upgrade/)
    const stale = await other.append(account, deposits(9), { expected: 1 })
    isConflict(t, stale, { actor: account, expected: 1, actual: 3 }, 'the versions count')
    const next = await mustAppend(other, account, deposits(4))
    t.equal(next.firstVersion, 4)
  })

  test('a commit with an unreadable body counts its versions', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await fill(store, account, [1])
    await other.head(account)
    const headers = commitHeaders(account, 2, 2)
    await place.injectRecord(account, { headers, body: garbage })

    const head = await store.head(account)
    const last = head.last as MalformedRecord
    t.strictSame([head.version, head.position], [3, last.position])
    t.strictSame(last.versions, { first: 2, last: 3 })
    t.ok(garbage.equals(last.raw))

    const stale = await other.append(account, deposits(9), { expected: 1 })
    isConflict(t, stale, { actor: account, expected: 1, actual: 3 }, 'the versions count')
    const next = await mustAppend(other, account, deposits(4), { expected: 3 })
    t.equal(next.firstVersion, 4)

    t.strictSame((await collect(store.read(account))).map(brief), ['1', 'malformed', '4'])
    const ranges: [object, string[]][] = [
      [{ to: 1 }, ['1']],
      [{ from: 4 }, ['4']],
      [{ from: 2, to: 3 }, ['malformed']],
      [{ from: 3, backwards: true }, ['4', 'malformed']],
      [{ to: 2, backwards: true }, ['malformed', '1']],
    ]
    for (const [options, wanted] of ranges) {
      const found = (await collect(store.read(account, options))).map(brief)
      t.strictSame(found, wanted, JSON.stringify(options))
    }
  })

  test('a body that contradicts its headers is malformed', async (t, place) => {
    const store = await place.open()
    // One MessagePack value each: {}, [], { events: [] }, { events: [{ type: 'x' }] }, a text.
    const bodies = [
      [0x80],
      [0x90],
      [0x81, 0xa6, ...Buffer.from('events'), 0x90],
      [
        0x81,
        0xa6,
        ...Buffer.from('events'),
        0x91,
        0x81,
        0xa4,
        ...Buffer.from('type'),
        0xa1,
        0x78,
      ],
      [0xa1, 0x78],
      [],
      [0xc0],
    ]
    for (const [i, body] of bodies.entries()) {
      const headers = commitHeaders(account, i + 1)
      await place.injectRecord(account, { headers, body: Uint8Array.from(body) })
    }
    const found = await collect(store.read(account))
    t.strictSame(
      found.map(item => item.kind === 'malformed' && item.versions),
      bodies.map((_, i) => ({ first: i + 1, last: i + 1 })),
    )
    t.equal((await mustAppend(store, account, deposits(1))).version, bodies.length + 1)
  })

  test('an actor with only a foreign record has no events', async (t, place) => {
    const store = await place.open()
    await place.injectRecord(account, { headers: {}, body: garbage })
    const head = await store.head(account)
    t.equal(head.version, 0)
    t.ok(head.position > 0)
    const early = await store.append(account, deposits(1), { expected: 'exists' })
    isConflict(t, early, { actor: account, expected: 'exists', actual: 0 }, 'no events')
    const fresh = await place.open()
    const first = await mustAppend(fresh, account, deposits(1), { expected: 'none' })
    t.equal(first.version, 1)
    t.strictSame((await collect(store.read(account))).map(brief), ['malformed', '1'])
    t.strictSame(await collect(store.actors()), [account])
  })

  test('many foreign records in a row hide nothing', async (t, place) => {
    const store = await place.open()
    await fill(store, account, [2, 3])
    for (let i = 0; i < 20; i++)
      await place.injectRecord(account, { headers: {}, body: garbage })
    t.equal((await store.head(account)).version, 5)
    const fresh = await place.open()
    t.equal((await mustAppend(fresh, account, deposits(1), { expected: 5 })).version, 6)
    const versions = (await collect(fresh.read(account, { backwards: true })))
      .map(brief)
      .filter(text => text !== 'malformed')
    t.strictSame(versions, ['6', '5', '4', '3', '2', '1'])
    t.equal((await collect(fresh.read(account))).length, 26)
  })

  test('one actor’s malformed records do not affect another actor', async (t, place) => {
    const store = await place.open()
    await place.injectRecord(account, { headers: {}, body: garbage })
    await fill(store, actorOf('bob'), [1, 1])
    t.strictSame((await collect(store.read(actorOf('bob')))).map(brief), ['1', '2'])
  })

  test('followers receive malformed records and continue', async (t, place) => {
    const store = await place.open()
    const waiting = followed(store, 4)
    const filtered = followed(store, 2, { types: ['trip'] })
    await mustAppend(store, account, deposits(1))
    await place.injectRecord(account, { headers: {}, body: garbage })
    await place.injectRecord(actorOf('t', 'trip'), { headers: {}, body: garbage })
    await mustAppend(store, actorOf('t', 'trip'), deposits(1))
    const kinds = (await waiting).map(record => record.kind)
    t.strictSame(kinds, ['commit', 'malformed', 'malformed', 'commit'])
    const trips = (await filtered).map(record => record.kind)
    t.strictSame(trips, ['malformed', 'commit'], 'a filter by type applies to them too')
  })
}
