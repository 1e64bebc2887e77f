// Contract: different names share nothing.

import { formatAddress, type ActorAddress } from '../../../src/model/address.js'
import {
  account,
  actorOf,
  collect,
  deposits,
  followed,
  isConflict,
  mustAppend,
  type Suite,
} from './support.js'

const ids = [
  'a.b',
  'a_b',
  'a-b',
  'a b',
  'a/b',
  'a',
  'b',
  'A.B',
  'alice',
  'Alice',
  'ALICE',
  ' alice',
  'alice ',
  '*',
  '>',
  '.',
  '..',
  '/',
  '//',
  '$',
  '%',
  '%2E',
  '%2e',
  'a%2Eb',
  '=',
  '~',
  '\\',
  '"',
  "'",
  '\n',
  '\r\n',
  '\t',
  '\0',
  'a\0',
  'a\0b',
  '\u007f',
  '\u0001',
  '0',
  '1',
  '01',
  '-',
  '_',
  'null',
  'undefined',
  '__proto__',
  'constructor',
  'é',
  'e\u0301',
  '🪨',
  '🪨🪨',
  '日本語',
  '\uffff',
  '\u{10ffff}',
  'x'.repeat(255),
  'x'.repeat(256),
  '.'.repeat(256),
  '🪨'.repeat(64),
  'ä'.repeat(128),
]

export function testNames(test: Suite): void {
  test('every id has its own history', async (t, place) => {
    const store = await place.open()
    for (const id of ids)
      await mustAppend(store, actorOf(id), [{ type: 'named', data: id }], {
        expected: 'none',
      })
    const reader = await place.open()
    for (const id of ids) {
      const label = JSON.stringify(id.slice(0, 20))
      const events = await collect(reader.read(actorOf(id)))
      const found = events.map(event => event.kind === 'event' && [event.data, event.id])
      t.strictSame(found, [[id, `account/${id}/1`]], `the history of ${label}`)
      const head = await reader.head(actorOf(id))
      t.strictSame([head.version, head.last?.actor], [1, actorOf(id)], `head of ${label}`)
    }
    const listed = (await collect(reader.actors())).map(actor => actor.id)
    t.strictSame(listed.toSorted(), ids.toSorted(), 'all are listed, each once')
    const logged = (await collect(reader.readAll())).map(record => record.actor?.id)
    t.strictSame(logged, ids, 'the log names each of them')
  })

  test('types are separate, also when they differ only in case or by a suffix', async (t, place) => {
    const store = await place.open()
    const types = ['a', 'A', 'account', 'Account', 'account-', 'account_', 'accounts']
    types.push('T'.repeat(63))
    for (const type of types)
      await mustAppend(store, { type, id: 'x' }, deposits(1), { expected: 'none' })
    for (const type of types) {
      t.equal((await store.head({ type, id: 'x' })).version, 1)
      t.strictSame(await collect(store.actors({ type })), [{ type, id: 'x' }])
    }
    t.equal((await collect(store.actors())).length, types.length)
  })

  test('the border between type and id is unambiguous', async (t, place) => {
    const store = await place.open()
    const actors: ActorAddress[] = [
      { type: 'a', id: 'b/c' },
      { type: 'a', id: 'b.c' },
      { type: 'ab', id: 'c' },
      { type: 'a', id: 'bc' },
      { type: 'a-b', id: 'c' },
      { type: 'a_b', id: 'c' },
    ]
    for (const actor of actors)
      await mustAppend(store, actor, deposits(1), { expected: 'none' })
    const listed = (await collect(store.actors())).map(formatAddress)
    t.strictSame(listed.toSorted(), actors.map(formatAddress).toSorted())
  })

  test('actors are listed by type, each once', async (t, place) => {
    const store = await place.open()
    t.strictSame(await collect(store.actors()), [])
    t.strictSame(await collect(store.actors({ type: 'trip' })), [])
    const appends: Promise<unknown>[] = []
    for (let i = 0; i < 300; i++)
      appends.push(mustAppend(store, actorOf(`x${i}`, 'trip'), deposits(1)))
    for (const id of ['a', 'b']) appends.push(mustAppend(store, actorOf(id), deposits(1)))
    await Promise.all(appends)
    for (const id of ['a', 'b', 'a']) await mustAppend(store, actorOf(id), deposits(2))
    const trips = await collect(store.actors({ type: 'trip' }))
    t.equal(trips.length, 300)
    t.equal(new Set(trips.map(formatAddress)).size, 300)
    const accounts = await collect(store.actors({ type: 'account' }))
    t.strictSame(accounts.map(formatAddress).toSorted(), ['account/a', 'account/b'])
    t.strictSame(await collect(store.actors({ type: 'nobody' })), [])
    t.equal((await collect(store.actors())).length, 302)
    for await (const _ of store.actors()) break
  })

  test('namespaces share nothing, whatever their names', async (t, place) => {
    const suffix = Math.random().toString(36).slice(2)
    const namespaces = [`a${suffix}`, `a${suffix}-b`, `a${suffix}b`, `0${suffix}`]
    const stores = await Promise.all(
      namespaces.map(namespace => place.open({ namespace })),
    )
    for (const [i, store] of stores.entries()) {
      t.equal(store.namespace, namespaces[i])
      t.equal(await store.lastPosition(), 0, 'nothing of another is in it')
      for (let n = 0; n <= i; n++)
        await mustAppend(store, account, [{ type: 'named', data: namespaces[i] }])
    }
    for (const [i, store] of stores.entries()) {
      const twin = await place.open({ namespace: namespaces[i]! })
      const { version } = await twin.head(account)
      t.equal(version, i + 1)
      const records = await followed(twin, i + 1)
      const names = records.map(r =>
        r.kind === 'commit' ? r.events[0]!.data : undefined,
      )
      t.strictSame(
        names,
        names.map(() => namespaces[i]),
      )
      t.strictSame(await collect(twin.actors()), [account])
      const conflict = await store.append(account, deposits(1), { expected: i + 2 })
      isConflict(
        t,
        conflict,
        { actor: account, expected: i + 2, actual: i + 1 },
        'judged by its own',
      )
    }
  })

  test('a cache raised in one namespace does not affect another', async (t, place) => {
    const suffix = Math.random().toString(36).slice(2)
    const one = await place.open({ namespace: `one-${suffix}` })
    const two = await place.open({ namespace: `two-${suffix}` })
    one.updateVersionCache(account, 7, 7)
    t.equal(two.cachedVersion(account), undefined)
    await mustAppend(two, account, deposits(1), { expected: 'none' })
    t.equal(one.cachedVersion(account), 7)
  })
}
