// Contract: an actor has one history, however many stores write at once.

import {
  account,
  actorOf,
  collect,
  deposits,
  isConflict,
  mustAppend,
  span,
  type Suite,
  versionsOf,
} from './support.js'

export function testRaces(test: Suite): void {
  test('of several racers for the same next version, exactly one wins each round', async (t, place) => {
    const [rounds, racers] = [50, 4]
    const stores = await Promise.all(span(1, racers).map(() => place.open()))
    const winners: string[] = []
    for (let round = 0; round < rounds; round++) {
      // Caches of every kind: correct, far too high, unverified, and stale since the last win.
      stores[1]!.updateVersionCache(account, round + 500, round + 100_000)
      if (round % 3 === 0) stores[2]!.markCacheUnverified()
      const results = await Promise.all(
        stores.map((store, racer) =>
          store.append(account, deposits(racer), {
            expected: round,
            command: { id: `${round}-${racer}` },
          }),
        ),
      )
      const won = results.filter(result => result.ok)
      if (won.length !== 1) t.fail(`${won.length} racers won round ${round}`)
      for (const result of results)
        if (result.ok) winners.push(result.commitId)
        else
          isConflict(
            t,
            result,
            { actor: account, expected: round, actual: round + 1 },
            `a loser of round ${round}`,
          )
    }
    const records = await collect(stores[0]!.readAll())
    t.strictSame(versionsOf(records, account), span(1, rounds), 'no gap, none lost')
    t.strictSame(
      records.map(record => record.kind === 'commit' && record.id),
      winners,
      'the stored commits are the winners’',
    )
  })

  test('racers that retry are all stored, each once', async (t, place) => {
    const stores = await Promise.all(span(1, 3).map(() => place.open()))
    const each = 15
    const work = stores.map(async (store, racer) => {
      let expected = 0
      for (let i = 0; i < each;) {
        const command = { id: `${racer}-${i}` }
        const result = await store.append(account, deposits(1, 2), { expected, command })
        if (result.ok) i++
        expected = result.ok ? result.version : result.actual
      }
    })
    await Promise.all(work)
    const records = await collect(stores[0]!.readAll())
    t.strictSame(versionsOf(records, account), span(1, 3 * each * 2))
    const ids = records.map(record => record.kind === 'commit' && record.command?.id)
    t.equal(new Set(ids).size, 3 * each)
  })

  test("appends that expect 'any' are all stored, from several stores at once", async (t, place) => {
    const stores = await Promise.all(span(1, 3).map(() => place.open()))
    const appends = span(0, 44).map(i => {
      const events = deposits(...span(1, (i % 3) + 1))
      return mustAppend(stores[i % 3]!, actorOf(`actor-${i % 2}`), events)
    })
    const results = await Promise.all(appends)
    const records = await collect(stores[2]!.readAll())
    for (const id of ['actor-0', 'actor-1']) {
      const told = results
        .filter(result => result.actor.id === id)
        .flatMap(({ firstVersion, version }) => span(firstVersion, version))
      const stored = versionsOf(records, actorOf(id))
      t.strictSame(stored, span(1, stored.length), 'dense')
      t.strictSame(
        told.toSorted((a, b) => a - b),
        stored,
        'each was told its own versions',
      )
    }
    t.equal(records.length, results.length)
    const positions = results.map(result => result.position).toSorted((a, b) => a - b)
    t.strictSame(
      positions,
      records.map(record => record.position),
    )
  })

  test('of several racers in one store, exactly one wins', async (t, place) => {
    const store = await place.open()
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        span(1, 5).map(i => store.append(account, deposits(i), { expected: round })),
      )
      if (results.filter(result => result.ok).length !== 1)
        t.fail(`round ${round}: ${JSON.stringify(results)}`)
    }
    t.equal((await store.head(account)).version, 20)
  })
}
