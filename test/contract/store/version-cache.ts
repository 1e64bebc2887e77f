// Contract: the version cache is a hint. A wrong entry costs a read, never a wrong result.

import type { EventStore } from '../../../src/store/event-store/event-store.js'
import {
  account,
  actorOf,
  collect,
  deposits,
  fill,
  isConflict,
  mustAppend,
  span,
  type StoreFixture,
  type Suite,
  versionsOf,
} from './support.js'

export function testVersionCache(test: Suite): void {
  test('updateVersionCache inserts on a miss and raises only if newer', async (t, place) => {
    const store = await place.open()
    t.equal(store.cachedVersion(account), undefined)
    t.equal(store.updateVersionCache(account, 5, 50), true, 'a miss is inserted')
    t.equal(store.cachedVersion(account), 5)
    t.equal(store.updateVersionCache(account, 5, 50), false, 'an equal one is ignored')
    t.equal(store.updateVersionCache(account, 4, 40), false, 'an older one is ignored')
    t.equal(store.cachedVersion(account), 5)
    t.equal(store.updateVersionCache(account, 6, 60), true, 'a newer one raises')
    t.equal(store.cachedVersion(account), 6)
    t.equal(store.cachedVersion(actorOf('bob')), undefined)
    t.equal(store.cacheStats().entries, 1)
    t.equal(store.cacheStats().raises, 2)
  })

  test('1,000 interleaved updates end at the greatest version', async (t, place) => {
    const store = await place.open()
    // 387 shares no factor with 1,000: every version comes once, far from its neighbours.
    const order = span(0, 999).map(i => ((i * 387) % 1000) + 1)
    const tasks = span(0, 9).map(async task => {
      for (const version of order.filter((_, i) => i % 10 === task)) {
        await Promise.resolve()
        const before = store.cachedVersion(account) ?? 0
        const changed = store.updateVersionCache(account, version, version * 10)
        if (changed !== version > before) t.fail(`${version} over ${before}: ${changed}`)
      }
    })
    await Promise.all(tasks)
    t.equal(store.cachedVersion(account), 1000)
  })

  test('appends and heads update the cache to the stored version', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await mustAppend(store, account, deposits(1, 2))
    t.equal(store.cachedVersion(account), 2)
    t.equal(other.cachedVersion(account), undefined, 'each store has its own')
    await other.head(account)
    t.equal(other.cachedVersion(account), 2)
    await mustAppend(store, account, deposits(3))
    t.equal(other.cachedVersion(account), 2, 'stale, until it is told')
    await other.append(account, deposits(9), { expected: 2 })
    t.equal(other.cachedVersion(account), 3, 'a conflict teaches')
  })

  const poisons: [string, (store: EventStore, truth: Truth) => void][] = [
    ['far too high', s => s.updateVersionCache(account, 1000, 100_000)],
    ['one too high', (s, { position }) => s.updateVersionCache(account, 4, position + 1)],
    ['too high, at the true position', poisonAtTruePosition],
    ['too low', s => s.updateVersionCache(account, 1, 1)],
    ['right, at a wrong position', s => s.updateVersionCache(account, 3, 100_000)],
    ['unverified', s => s.markCacheUnverified()],
  ]
  for (const [what, poison] of poisons) {
    test(`with a cache that is ${what}, a correct expectation is met`, async (t, place) => {
      for (const expected of [3, 'exists', 'any'] as const) {
        const { poisoned, other, version } = await poisonedStores(place, poison)
        const definite = expected === 3 ? version : expected
        const result = await mustAppend(poisoned, account, deposits(4), {
          expected: definite,
        })
        t.equal(result.version, version + 1, `expecting '${expected}'`)
        t.equal(poisoned.cachedVersion(account), version + 1)
        t.strictSame(
          versionsOf(await collect(other.readAll()), account),
          span(1, version + 1),
        )
      }
    })

    test(`with a cache that is ${what}, conflicts name the stored version`, async (t, place) => {
      for (const expected of ['none', 0, 2, 4, 1000] as const) {
        const { poisoned, version } = await poisonedStores(place, poison)
        const wrong = typeof expected === 'number' && expected > 0
        const unmet = wrong ? version + expected - 3 : expected
        const result = await poisoned.append(account, deposits(9), { expected: unmet })
        isConflict(
          t,
          result,
          { actor: account, expected: unmet, actual: version },
          `expecting ${unmet}`,
        )
        t.equal(poisoned.cachedVersion(account), version, 'and the cache has healed')
      }
    })

    test(`with a cache that is ${what}, head returns the stored version and corrects the cache`, async (t, place) => {
      const { poisoned, version } = await poisonedStores(place, poison)
      t.equal((await poisoned.head(account)).version, version)
      t.equal(poisoned.cachedVersion(account), version)
      t.equal((await collect(poisoned.read(account))).length, version)
    })
  }

  test('a cached version of an actor without events is not relied on', async (t, place) => {
    const ghost = actorOf('ghost')
    const expectations = ['none', 0, 'any'] as const
    for (const expected of expectations) {
      const store = await place.open()
      const actor = actorOf(`ghost-${expected}`)
      store.updateVersionCache(actor, 7, 7)
      const result = await mustAppend(store, actor, deposits(1), { expected })
      t.equal(result.version, 1)
    }
    for (const expected of ['exists', 7, 1] as const) {
      const store = await place.open()
      store.updateVersionCache(ghost, 7, 7)
      const result = await store.append(ghost, deposits(1), { expected })
      isConflict(
        t,
        result,
        { actor: ghost, expected, actual: 0 },
        `expecting ${expected}`,
      )
    }
  })

  test('an unverified entry is not trusted until raised or read again', async (t, place) => {
    const store = await place.open()
    const [one, two, three] = [actorOf('1'), actorOf('2'), actorOf('3')]
    for (const actor of [one, two, three]) await mustAppend(store, actor, deposits(1))
    store.markCacheUnverified()
    for (const actor of [one, two, three])
      t.equal(store.cachedVersion(actor), undefined, 'not believed')
    await store.head(one)
    t.equal(store.cachedVersion(one), 1, 'believed once read')
    store.updateVersionCache(two, 1, (await store.head(two)).position)
    t.equal(store.cachedVersion(two), 1, 'believed once told again')
    await mustAppend(store, three, deposits(2), { expected: 1 })
    t.equal(store.cachedVersion(three), 2, 'believed once appended to')
  })

  test('the cache is bounded, and results stay correct after an eviction', async (t, place) => {
    const store = await place.open({ cache: { entries: 4 } })
    const actors = span(1, 20).map(i => actorOf(`actor-${i}`))
    for (let version = 0; version < 3; version++)
      for (const actor of actors) {
        const result = await mustAppend(store, actor, deposits(1), { expected: version })
        t.equal(result.version, version + 1)
        const stale = await store.append(actor, deposits(1), { expected: version })
        isConflict(t, stale, { actor, expected: version, actual: version + 1 }, 'stale')
      }
    t.ok(store.cacheStats().entries <= 4, `${store.cacheStats().entries} entries`)
  })

  test('the statistics count hits, misses and heals', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    const { misses, hits, heals } = store.cacheStats()
    t.ok(misses >= 1, 'the first append finds nothing')
    await mustAppend(store, account, deposits(2), { expected: 1 })
    t.ok(store.cacheStats().hits > hits, 'the second finds the first')
    store.updateVersionCache(account, 99, 99_999)
    await store.head(account)
    t.ok(store.cacheStats().heals > heals, 'a wrong entry was corrected')
  })
}

interface Truth {
  readonly version: number
  readonly position: number
}

/** An actor with events, and a store whose cache holds a wrong entry for it. */
async function poisonedStores(
  place: StoreFixture,
  poison: (store: EventStore, truth: Truth) => void,
) {
  const [poisoned, other] = [await place.open(), await place.open()]
  const { version: before } = await other.head(account)
  if (before === 0) await fill(other, account, [1, 2])
  const { version, position } = await other.head(account)
  const shift = version - 3
  const shifted: EventStore = Object.create(poisoned, {
    updateVersionCache: {
      value: (actor: typeof account, v: number, p: number) =>
        poisoned.updateVersionCache(actor, v + shift, p),
    },
  })
  poison(shifted, { version, position })
  return { poisoned, other, version }
}

function poisonAtTruePosition(store: EventStore, { position }: Truth): void {
  store.updateVersionCache(account, 8, position)
}
