// Contract: reading the namespace's log.

import {
  account,
  actorOf,
  asCommit,
  collect,
  deposits,
  mustAppend,
  refuses,
  span,
  type Suite,
} from './support.js'

export function testReadingAll(test: Suite): void {
  test('an empty log reads as empty', async (t, place) => {
    const store = await place.open()
    t.strictSame(await collect(store.readAll()), [])
    t.strictSame(await collect(store.readAll({ after: 5, limit: 3 })), [])
  })

  test('the log holds every actor’s commits in the order they were stored', async (t, place) => {
    const store = await place.open()
    const stored: [string, number][] = []
    for (const id of ['a', 'b', 'a', 'c', 'a', 'b']) {
      const { position } = await mustAppend(store, actorOf(id), deposits(1, 2))
      stored.push([id, position])
    }
    const found = (await collect(store.readAll())).map(asCommit)
    t.strictSame(
      found.map(commit => [commit.actor.id, commit.position]),
      stored,
    )
    t.ok(found.every(commit => commit.events.length === 2))
  })

  test('after, types and limit select records, alone and combined', async (t, place) => {
    const store = await place.open()
    const log: { position: number; type: string }[] = []
    for (let i = 0; i < 30; i++) {
      const type = ['account', 'trip', 'accounts'][i % 3]!
      const { position } = await mustAppend(store, { type, id: 'x' }, deposits(i))
      log.push({ position, type })
    }
    const first = log[0]!.position
    for (const after of [undefined, 0, first, first + 13, first + 29, first + 99])
      for (const types of [undefined, [], ['trip'], ['account', 'accounts'], ['nobody']])
        for (const limit of [undefined, 0, 1, 7, 100]) {
          const options = {
            ...(after !== undefined && { after }),
            ...(types !== undefined && { types }),
            ...(limit !== undefined && { limit }),
          }
          const found = await collect(store.readAll(options))
          const wanted = log
            .filter(({ position }) => position > (after ?? 0))
            .filter(({ type }) => types === undefined || types.includes(type))
            .slice(0, limit)
          t.strictSame(
            found.map(record => record.position),
            wanted.map(({ position }) => position),
            `readAll(${JSON.stringify(options)})`,
          )
        }
  })

  test('a read ends at the last record that was stored when it began', async (t, place) => {
    const store = await place.open()
    for (let i = 0; i < 5; i++) await mustAppend(store, account, deposits(i))
    const seen: number[] = []
    for await (const record of store.readAll()) {
      seen.push(record.position)
      // If it read on, it would never end.
      await mustAppend(store, account, deposits(9))
    }
    t.strictSame(seen, span(seen[0]!, seen[0]! + 4))
  })

  test('a long log is read whole', async (t, place) => {
    const store = await place.open()
    const length = 1_100
    const appends = span(1, length).map(i =>
      mustAppend(store, actorOf(`actor-${i}`), deposits(i), { expected: 'none' }),
    )
    await Promise.all(appends)
    const positions = (await collect(store.readAll())).map(record => record.position)
    t.strictSame(positions, span(positions[0]!, positions[0]! + length - 1))
    const rest = await collect(store.readAll({ after: positions[699]! }))
    t.equal(rest.length, length - 700)
  })

  test('aborting stops a running read', async (t, place) => {
    const store = await place.open()
    for (let i = 0; i < 5; i++) await mustAppend(store, account, deposits(i))
    const stop = new AbortController()
    let seen = 0
    const work = async () => {
      for await (const record of store.readAll({ signal: stop.signal })) {
        seen += record.kind === 'commit' ? 1 : 0
        stop.abort()
      }
    }
    await refuses(t, 'aborted', work, 'the read')
    t.equal(seen, 1)
  })
}
