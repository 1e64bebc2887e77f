import t from 'tap'

import { VersionCache } from '../../src/store/version-cache.js'
import { account, actorOf, span } from '../contract/store/support.js'

await t.test(
  'CACHE-1, CACHE-2: raising inserts or raises, and ignores the rest',
  async t => {
    const cache = new VersionCache()
    t.equal(cache.peek(account), undefined)
    t.equal(cache.raise(account, 3, 30), true)
    t.equal(cache.raise(account, 3, 31), false, 'equal')
    t.equal(cache.raise(account, 2, 99), false, 'older')
    t.equal(cache.peek(account), 3)
    t.match(cache.snapshot(account), { version: 3, position: 30 }, 'with its position')
    t.equal(cache.raise(account, 4, 40), true)
    t.match(cache.snapshot(account), { version: 4, position: 40 })
    const { hits, misses, raises, heals, entries } = cache.stats()
    t.strictSame([hits, misses, raises, heals, entries], [0, 0, 2, 0, 1])
  },
)

await t.test('CACHE-4: only a proven entry can be relied on', async t => {
  const cache = new VersionCache()
  t.equal(cache.lookup(account), undefined, 'nothing')
  cache.raise(account, 3, 30)
  t.equal(cache.peek(account), 3, 'an unproven version is trusted')
  t.equal(cache.lookup(account), undefined, 'but not relied on')
  cache.advance(account, 3, 30)
  t.match(
    cache.lookup(account),
    { version: 3, position: 30 },
    'a stored version is proven',
  )
  cache.raise(account, 5, 50, { version: 4, position: 40 })
  t.equal(cache.lookup(account), undefined, 'a notice that skips one proves nothing')
  cache.refresh(account, { version: 5, position: 50 }, cache.snapshot(account))
  t.match(cache.lookup(account), { version: 5, position: 50 }, 'a read version is proven')
  cache.raise(account, 6, 60, { version: 5, position: 50 })
  t.match(
    cache.lookup(account),
    { version: 6, position: 60 },
    'a notice that continues a proven entry is proven',
  )
  cache.raise(account, 7, 70, { version: 6, position: 61 })
  t.equal(cache.lookup(account), undefined, 'a notice after another position is not')
  cache.raise(account, 8, 80, { version: 7, position: 70 })
  t.equal(cache.lookup(account), undefined, 'nor one that continues an unproven entry')
  const { hits, misses } = cache.stats()
  t.strictSame([hits, misses], [3, 5])
})

await t.test(
  'CACHE-4: a notice of a first commit proves nothing, unless the actor is known to have no events',
  async t => {
    const cache = new VersionCache()
    cache.raise(account, 40, 30, { version: 0, position: 0 })
    t.equal(cache.lookup(account), undefined, 'an actor that is not cached may be old')
    cache.advance(actorOf('bob'), 3, 20)
    cache.raise(actorOf('bob'), 40, 30, { version: 0, position: 0 })
    t.equal(cache.lookup(actorOf('bob')), undefined, 'a cached one is known to be')
    cache.refresh(actorOf('eve'), { version: 0, position: 0 }, undefined)
    cache.raise(actorOf('eve'), 2, 30, { version: 0, position: 0 })
    t.match(
      cache.lookup(actorOf('eve')),
      { version: 2, position: 30 },
      'it was read as without events',
    )
  },
)

await t.test('advancing proves and raises, and is not counted as a raise', async t => {
  const cache = new VersionCache()
  cache.advance(account, 1, 10)
  cache.advance(account, 2, 20)
  cache.advance(account, 1, 10)
  t.match(cache.lookup(account), { version: 2, position: 20 })
  t.equal(cache.stats().raises, 0)
})

await t.test(
  'CACHE-3: refreshing sets the head that was read, upwards, downwards and sideways',
  async t => {
    const cache = new VersionCache()
    const refresh = (version: number, position: number) =>
      cache.refresh(account, { version, position }, cache.snapshot(account))
    refresh(2, 20)
    t.match(cache.lookup(account), { version: 2, position: 20 })
    t.equal(cache.stats().heals, 0, 'an insert heals nothing')
    refresh(2, 20)
    t.equal(cache.stats().heals, 0, 'neither does a correct entry')
    cache.raise(account, 900, 9000)
    refresh(3, 30)
    t.match(cache.lookup(account), { version: 3, position: 30 }, 'downwards')
    refresh(3, 35)
    t.match(cache.lookup(account), { version: 3, position: 35 }, 'another position')
    refresh(0, 0)
    t.match(cache.lookup(account), { version: 0, position: 0 }, 'back to no events')
    t.equal(cache.stats().heals, 3)
  },
)

await t.test('CACHE-3: a change during the read is kept if it is newer', async t => {
  const cache = new VersionCache()
  cache.raise(account, 5, 50)
  const before = cache.snapshot(account)
  cache.raise(account, 7, 70)
  cache.refresh(account, { version: 6, position: 60 }, before)
  t.equal(cache.peek(account), 7, 'the notice was newer than the read')
  cache.refresh(account, { version: 8, position: 80 }, before)
  t.equal(cache.peek(account), 8, 'the read was newer than the notice')
  const absent = cache.snapshot(actorOf('bob'))
  cache.raise(actorOf('bob'), 2, 90)
  cache.refresh(actorOf('bob'), { version: 1, position: 85 }, absent)
  t.equal(cache.peek(actorOf('bob')), 2, 'also without an entry before')
  t.equal(cache.stats().heals, 1)
})

await t.test('CACHE-5: an unverified entry is kept, but not trusted', async t => {
  const cache = new VersionCache()
  cache.advance(account, 5, 50)
  cache.unverify()
  t.equal(cache.peek(account), undefined)
  t.equal(cache.lookup(account), undefined)
  t.match(cache.snapshot(account), { version: 5, position: 50 })
  t.equal(cache.raise(account, 4, 40), false, 'an older one proves nothing')
  t.equal(cache.peek(account), undefined)
  t.equal(cache.raise(account, 5, 51), false, 'neither does another position')
  t.equal(cache.peek(account), undefined)
  t.equal(cache.raise(account, 5, 50), false, 'the same one again')
  t.equal(cache.peek(account), 5, 'is trusted')
  t.match(cache.lookup(account), { version: 5 }, 'and as proven as before')
  cache.unverify()
  cache.refresh(account, { version: 5, position: 50 }, cache.snapshot(account))
  t.equal(cache.peek(account), 5, 'as is a refreshed entry')
  cache.unverify()
  cache.raise(account, 6, 60)
  t.equal(cache.peek(account), 6, 'as is a newer version')
})

await t.test('CACHE-6: bounded by entries', async t => {
  const cache = new VersionCache({ entries: 10 })
  for (const i of span(1, 100)) cache.raise(actorOf(`actor-${i}`), i, i)
  t.equal(cache.stats().entries, 10)
  t.equal(cache.peek(actorOf('actor-100')), 100)
  t.equal(cache.peek(actorOf('actor-90')), undefined)
})

await t.test('CACHE-6: bounded by bytes', async t => {
  const bytes = 10_000
  const cache = new VersionCache({ bytes })
  for (const i of span(1, 100)) cache.raise(actorOf(`${i}-${'x'.repeat(200)}`), i, i)
  const { entries, bytes: used } = cache.stats()
  t.ok(used <= bytes && used > bytes / 2, `${used} bytes in ${entries} entries`)
  t.ok(entries < 20)
})

await t.test('CACHE-6: the least recently used entry is evicted first', async t => {
  const cache = new VersionCache({ entries: 2 })
  cache.raise(actorOf('a'), 1, 1)
  cache.raise(actorOf('b'), 1, 2)
  cache.lookup(actorOf('a'))
  cache.raise(actorOf('c'), 1, 3)
  t.equal(cache.peek(actorOf('a')), 1)
  t.equal(cache.peek(actorOf('b')), undefined)
})

await t.test('clearing removes every entry', async t => {
  const cache = new VersionCache()
  cache.raise(account, 1, 1)
  cache.clear()
  t.equal(cache.snapshot(account), undefined)
  t.equal(cache.stats().entries, 0)
})

await t.test('actors with different names have different entries', async t => {
  const cache = new VersionCache()
  const names = ['a', 'A', 'a/b', 'a.b', 'a_b', '__proto__', 'constructor', ' a']
  for (const [i, name] of names.entries()) cache.raise(actorOf(name), i + 1, i + 1)
  for (const [i, name] of names.entries()) t.equal(cache.peek(actorOf(name)), i + 1)
})
