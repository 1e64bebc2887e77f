// Contract: following the log as it grows.

import type { LogRecord } from '../../../src/model/commit.js'
import type { EventStore } from '../../../src/store/event-store/event-store.js'
import {
  account,
  actorOf,
  asCommit,
  collect,
  deposits,
  followed,
  mustAppend,
  span,
  type Suite,
  versionsOf,
} from './support.js'

export function testFollowing(test: Suite): void {
  test('following from the start yields stored records, then new ones', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await mustAppend(store, account, deposits(1))
    await mustAppend(store, account, deposits(2))
    const seen: number[] = []
    for await (const record of store.follow()) {
      seen.push(asCommit(record).lastVersion)
      // Its own and another node's in turn: each is stored after the last was seen.
      if (seen.length === 2) await mustAppend(store, account, deposits(3))
      if (seen.length === 3) await mustAppend(other, account, deposits(4))
      if (seen.length === 4) break
    }
    t.strictSame(seen, [1, 2, 3, 4])
  })

  test('following from a position yields only records after it', async (t, place) => {
    const store = await place.open()
    const positions: number[] = []
    for (const i of span(1, 6))
      positions.push((await mustAppend(store, account, deposits(i))).position)
    const waiting = followed(store, 4, { after: positions[3]! })
    for (const i of [7, 8]) await mustAppend(store, account, deposits(i))
    t.strictSame(versionsOf(await waiting, account), [5, 6, 7, 8])
    const fresh = followed(store, 1, { after: await store.lastPosition() })
    await mustAppend(store, account, deposits(9))
    t.strictSame(versionsOf(await fresh, account), [9])
  })

  test('following can be limited to actor types', async (t, place) => {
    const store = await place.open()
    const types = ['trip', 'accounts']
    const waiting = followed(store, 6, { types })
    for (const i of span(0, 11)) {
      const type = ['account', 'trip', 'accounts', 'trips'][i % 4]!
      await mustAppend(store, { type, id: 'x' }, deposits(i))
    }
    const seen = (await waiting).map(record => asCommit(record).actor.type)
    t.strictSame(seen, ['trip', 'accounts', 'trip', 'accounts', 'trip', 'accounts'])
  })

  test('many followers of many appenders see every record once and in order', async (t, place) => {
    const stores = [await place.open(), await place.open(), await place.open()]
    const [appenders, appends] = [9, 20]
    const total = appenders * appends
    const early = stores.map(store => followed(store, total))
    const work = span(0, appenders - 1).map(async n => {
      const store = stores[n % stores.length]!
      // Three appenders share each actor, from three stores.
      const actor = actorOf(`actor-${Math.floor(n / 3)}`)
      for (let i = 0; i < appends; i++)
        await mustAppend(store, actor, deposits(n, i), { command: { id: `${n}-${i}` } })
    })
    const late = followed(stores[1]!, total)
    await Promise.all(work)
    const last = followed(stores[2]!, total)
    for (const records of await Promise.all([...early, late, last])) {
      const positions = records.map(record => record.position)
      t.strictSame(positions, span(positions[0]!, positions[0]! + total - 1))
      for (const id of ['actor-0', 'actor-1', 'actor-2'])
        t.strictSame(versionsOf(records, actorOf(id)), span(1, 2 * 3 * appends))
      const commands = records.map(record => asCommit(record).command?.id)
      t.equal(new Set(commands).size, total, 'each append is there once')
    }
  })

  test('following ends without an error when its signal fires', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    const stop = new AbortController()
    const seen: LogRecord[] = []
    for await (const record of store.follow({ signal: stop.signal })) {
      seen.push(record)
      // Fires while it waits for new records.
      setImmediate(() => stop.abort())
    }
    t.equal(seen.length, 1)
    t.strictSame(await collect(store.follow({ signal: stop.signal })), [])
  })

  test('following ends without an error when its store closes', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await mustAppend(store, account, deposits(1))
    const seen: LogRecord[] = []
    for await (const record of store.follow()) {
      seen.push(record)
      setImmediate(() => void store.close())
    }
    t.equal(seen.length, 1)
    t.equal(await nextVersion(other), 2, 'other stores go on')
  })

  test('a follower that stops early leaves the store usable', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    for (let i = 0; i < 100; i++)
      for await (const record of store.follow()) {
        if (record.kind !== 'commit') t.fail('the record is readable')
        break
      }
    t.equal(await nextVersion(store), 2)
  })
}

async function nextVersion(store: EventStore): Promise<number> {
  return (await mustAppend(store, account, deposits(0))).version
}
