// Contract: closing finishes what is in flight and refuses the rest.

import {
  account,
  actorOf,
  collect,
  deposits,
  isCairnError,
  mustAppend,
  refuses,
  span,
  type Suite,
} from './support.js'

export function testClosing(test: Suite): void {
  test('a closed store refuses every call', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    await store.close()
    const works: [string, () => unknown][] = [
      ['append', () => store.append(account, deposits(1))],
      ['head', () => store.head(account)],
      ['read', () => collect(store.read(account))],
      ['commits', () => collect(store.commits(account))],
      ['readAll', () => collect(store.readAll())],
      ['follow', () => collect(store.follow())],
      ['actors', () => collect(store.actors())],
      ['lastPosition', () => store.lastPosition()],
    ]
    for (const [what, work] of works) await refuses(t, 'store-closed', work, what)
    await store.close()
    await store[Symbol.asyncDispose]()
    t.pass('closing again is no error')
    t.equal((await (await place.open()).head(account)).version, 1)
  })

  test('appends in flight are completed and stored', async (t, place) => {
    const store = await place.open()
    const appends = span(1, 20).map(i => store.append(actorOf(`${i}`), deposits(i)))
    await store.close()
    const results = await Promise.all(appends)
    t.ok(results.every(result => result.ok))
    const reader = await place.open()
    t.equal((await collect(reader.readAll())).length, 20)
  })

  test('a read that is interrupted by closing does not look complete', async (t, place) => {
    const store = await place.open()
    const length = 20
    for (const i of span(1, length)) await mustAppend(store, account, deposits(i))
    for (const read of ['readAll', 'commits'] as const) {
      const reader = await place.open()
      const records = read === 'readAll' ? reader.readAll() : reader.commits(account)
      let seen = 0
      const work = async () => {
        for await (const record of records) {
          if (record.kind !== 'commit') t.fail('every record here is readable')
          if (++seen === 1) await reader.close()
        }
      }
      const error = await work().catch((thrown: unknown) => thrown)
      // It may finish or fail, but must not end early without an error.
      if (error === undefined) t.equal(seen, length, `${read} went on to the end`)
      else t.ok(isCairnError(error, 'store-closed'), `${read} says store-closed`)
    }
  })

  test('closing one store does not affect the others', async (t, place) => {
    const [one, two] = [await place.open(), await place.open()]
    await mustAppend(one, account, deposits(1))
    await one.close()
    t.equal((await mustAppend(two, account, deposits(2), { expected: 1 })).version, 2)
  })

  test('stored events are there for the next store that opens', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1, 2, 3))
    await store.close()
    const next = await place.open()
    const amounts = (await collect(next.read(account))).map(
      event => event.kind === 'event' && event.data,
    )
    t.strictSame(amounts, [{ amount: 1 }, { amount: 2 }, { amount: 3 }])
    t.equal((await mustAppend(next, account, deposits(4), { expected: 3 })).version, 4)
  })
}
