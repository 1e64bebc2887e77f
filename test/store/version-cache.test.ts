import t from 'tap'

import { VersionCache } from '../../src/store/version-cache.js'
import { account, actorOf, span } from '../contract/store/support.js'

await t.test('V1, V2: raising inserts, raises, and ignores the rest', async t => {
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
})

await t.test('V4: only what is proven is built upon', async t => {
  const cache = new VersionCache()
  t.equal(cache.lookup(account), undefined, 'nothing')
  cache.raise(account, 3, 30)
  t.equal(cache.peek(account), 3, 'hearsay is believed')
  t.equal(cache.lookup(account), undefined, 'and not built upon')
  cache.advance(account, 3, 30)
  t.match(cache.lookup(account), { version: 3, position: 30 }, 'what was stored is')
  cache.raise(account, 5, 50, { version: 4, position: 40 })
  t.equal(cache.lookup(account), undefined, 'a notice that skips one proves nothing')
  cache.settle(account, { version: 5, position: 50 }, cache.snapshot(account))
  t.match(cache.lookup(account), { version: 5, position: 50 }, 'what was read is')
  cache.raise(account, 6, 60, { version: 5, position: 50 })
  t.match(
    cache.lookup(account),
    { version: 6, position: 60 },
    'a notice that continues is',
  )
  cache.raise(account, 7, 70, { version: 6, position: 61 })
  t.equal(cache.lookup(account), undefined, 'one behind another position is not')
  cache.raise(account, 8, 80, { version: 7, position: 70 })
  t.equal(cache.lookup(account), undefined, 'nor one that continues hearsay')
  const { hits, misses } = cache.stats()
  t.strictSame([hits, misses], [3, 5])
})

await t.test(
  'V4: to claim to be the first commit proves nothing, unless nothing is proven to be there',
  async t => {
    const cache = new VersionCache()
    cache.raise(account, 40, 30, { version: 0, position: 0 })
    t.equal(cache.lookup(account), undefined, 'an actor that is not cached may be old')
    cache.advance(actorOf('bob'), 3, 20)
    cache.raise(actorOf('bob'), 40, 30, { version: 0, position: 0 })
    t.equal(cache.lookup(actorOf('bob')), undefined, 'one that is cached is known to be')
    cache.settle(actorOf('eve'), { version: 0, position: 0 }, undefined)
    cache.raise(actorOf('eve'), 2, 30, { version: 0, position: 0 })
    t.match(
      cache.lookup(actorOf('eve')),
      { version: 2, position: 30 },
      'read as new, it is new',
    )
  },
)

await t.test('advancing proves, raises, and counts as no news', async t => {
  const cache = new VersionCache()
  cache.advance(account, 1, 10)
  cache.advance(account, 2, 20)
  cache.advance(account, 1, 10)
  t.match(cache.lookup(account), { version: 2, position: 20 })
  t.equal(cache.stats().raises, 0)
})

await t.test('V3: the truth is set, upwards, downwards and aside', async t => {
  const cache = new VersionCache()
  const settle = (version: number, position: number) =>
    cache.settle(account, { version, position }, cache.snapshot(account))
  settle(2, 20)
  t.match(cache.lookup(account), { version: 2, position: 20 })
  t.equal(cache.stats().heals, 0, 'an insert heals nothing')
  settle(2, 20)
  t.equal(cache.stats().heals, 0, 'neither does what is right already')
  cache.raise(account, 900, 9000)
  settle(3, 30)
  t.match(cache.lookup(account), { version: 3, position: 30 }, 'downwards')
  settle(3, 35)
  t.match(cache.lookup(account), { version: 3, position: 35 }, 'another position')
  settle(0, 0)
  t.match(cache.lookup(account), { version: 0, position: 0 }, 'back to nothing')
  t.equal(cache.stats().heals, 3)
})

await t.test('V3: what came in while the truth was read is kept if newer', async t => {
  const cache = new VersionCache()
  cache.raise(account, 5, 50)
  const before = cache.snapshot(account)
  cache.raise(account, 7, 70)
  cache.settle(account, { version: 6, position: 60 }, before)
  t.equal(cache.peek(account), 7, 'the notice was newer than the read')
  cache.settle(account, { version: 8, position: 80 }, before)
  t.equal(cache.peek(account), 8, 'the read was newer than the notice')
  const absent = cache.snapshot(actorOf('bob'))
  cache.raise(actorOf('bob'), 2, 90)
  cache.settle(actorOf('bob'), { version: 1, position: 85 }, absent)
  t.equal(cache.peek(actorOf('bob')), 2, 'also where there was nothing before')
  t.equal(cache.stats().heals, 1)
})

await t.test('V5: what is unverified is there, and not believed', async t => {
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
  t.equal(cache.peek(account), 5, 'is believed')
  t.match(cache.lookup(account), { version: 5 }, 'and as proven as it was')
  cache.unverify()
  cache.settle(account, { version: 5, position: 50 }, cache.snapshot(account))
  t.equal(cache.peek(account), 5, 'as is the truth')
  cache.unverify()
  cache.raise(account, 6, 60)
  t.equal(cache.peek(account), 6, 'as is a newer one')
})

await t.test('V6: bounded by entries', async t => {
  const cache = new VersionCache({ entries: 10 })
  for (const i of span(1, 100)) cache.raise(actorOf(`actor-${i}`), i, i)
  t.equal(cache.stats().entries, 10)
  t.equal(cache.peek(actorOf('actor-100')), 100)
  t.equal(cache.peek(actorOf('actor-90')), undefined)
})

await t.test('V6: bounded by bytes', async t => {
  const bytes = 10_000
  const cache = new VersionCache({ bytes })
  for (const i of span(1, 100)) cache.raise(actorOf(`${i}-${'x'.repeat(200)}`), i, i)
  const { entries, bytes: used } = cache.stats()
  t.ok(used <= bytes && used > bytes / 2, `${used} bytes in ${entries} entries`)
  t.ok(entries < 20)
})

await t.test('V6: what was looked up last stays longest', async t => {
  const cache = new VersionCache({ entries: 2 })
  cache.raise(actorOf('a'), 1, 1)
  cache.raise(actorOf('b'), 1, 2)
  cache.lookup(actorOf('a'))
  cache.raise(actorOf('c'), 1, 3)
  t.equal(cache.peek(actorOf('a')), 1)
  t.equal(cache.peek(actorOf('b')), undefined)
})

await t.test('clearing forgets everything', async t => {
  const cache = new VersionCache()
  cache.raise(account, 1, 1)
  cache.clear()
  t.equal(cache.snapshot(account), undefined)
  t.equal(cache.stats().entries, 0)
})

await t.test('actors whose names differ have entries of their own', async t => {
  const cache = new VersionCache()
  const names = ['a', 'A', 'a/b', 'a.b', 'a_b', '__proto__', 'constructor', ' a']
  for (const [i, name] of names.entries()) cache.raise(actorOf(name), i + 1, i + 1)
  for (const [i, name] of names.entries()) t.equal(cache.peek(actorOf(name)), i + 1)
})
