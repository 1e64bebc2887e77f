// Contract: versions, expected versions, and atomic commits.

import type { ExpectedVersion } from '../../../src/model/version.js'
import {
  account,
  actorOf,
  collect,
  deposits,
  fill,
  isConflict,
  mustAppend,
  span,
  type Suite,
  versionsOf,
} from './support.js'

export function testAppending(test: Suite): void {
  test('versions are 1, 2, 3 …, also with several events in a commit', async (t, place) => {
    const store = await place.open()
    const first = await mustAppend(store, account, deposits(1), { expected: 'none' })
    const second = await mustAppend(store, account, deposits(2, 3, 4), { expected: 1 })
    const third = await mustAppend(store, account, deposits(5))
    t.strictSame(
      [first, second, third].map(({ ok, actor, firstVersion, version }) => ({
        ok,
        actor,
        firstVersion,
        version,
      })),
      [
        { ok: true, actor: account, firstVersion: 1, version: 1 },
        { ok: true, actor: account, firstVersion: 2, version: 4 },
        { ok: true, actor: account, firstVersion: 5, version: 5 },
      ],
    )
    t.equal(
      new Set([first.commitId, second.commitId, third.commitId]).size,
      3,
      'each commit has its own id',
    )
    t.strictSame(versionsOf(await collect(store.readAll()), account), span(1, 5))
  })

  test('positions are dense over all actors, and an append returns its own', async (t, place) => {
    const store = await place.open()
    t.equal(await store.lastPosition(), 0, 'an empty namespace ends at 0')
    const positions: number[] = []
    for (const id of ['a', 'b', 'a', 'c', 'b'])
      positions.push((await mustAppend(store, actorOf(id), deposits(1, 2))).position)
    t.strictSame(positions, span(positions[0]!, positions[0]! + 4))
    t.equal(await store.lastPosition(), positions.at(-1))
  })

  test('the known position is one that the log has reached', async (t, place) => {
    const [writer, other] = [await place.open(), await place.open()]
    t.equal(writer.knownPosition(), 0)
    const { position } = await mustAppend(writer, account, deposits(1))
    t.equal(writer.knownPosition(), position)
    t.ok(other.knownPosition() <= position)
    const later = await place.open()
    t.equal(
      later.knownPosition(),
      position,
      'a store knows where the log was when it opened',
    )
    await mustAppend(other, account, deposits(2))
    other.updateVersionCache(account, 9, 9_999)
    t.ok(other.knownPosition() < 9_999, 'a notice proves nothing')
  })

  test('a commit keeps the position in the inbox that it was given', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1), { inboxPosition: 12 })
    await mustAppend(store, account, deposits(2))
    const parts = [{ actor: account, events: deposits(3), inboxPosition: 40 }]
    t.match(await store.appendAll(parts), { ok: true })
    t.strictSame(
      (await collect(store.readAll())).map(
        record => record.kind === 'commit' && record.inboxPosition,
      ),
      [12, undefined, 40],
    )
  })

  const met: [ExpectedVersion, number][] = [
    ['none', 0],
    [0, 0],
    ['any', 0],
    [3, 3],
    ['exists', 3],
    ['any', 3],
  ]
  for (const [expected, actual] of met)
    test(`${show(expected)} is met by an actor at ${actual}`, async (t, place) => {
      const store = await place.open()
      if (actual > 0) await fill(store, account, [1, 2])
      const result = await mustAppend(store, account, deposits(9), { expected })
      t.equal(result.version, actual + 1)
    })

  const unmet: [ExpectedVersion, number][] = [
    [1, 0],
    ['exists', 0],
    ['none', 3],
    [0, 3],
    [2, 3],
    [4, 3],
    [Number.MAX_SAFE_INTEGER, 3],
  ]
  for (const [expected, actual] of unmet)
    test(`${show(expected)} is a conflict with an actor at ${actual}, and stores nothing`, async (t, place) => {
      const store = await place.open()
      if (actual > 0) await fill(store, account, [1, 2])
      const before = await store.lastPosition()
      // The second store has an empty cache: it must decide like the first.
      for (const judge of [store, await place.open()]) {
        const result = await judge.append(account, deposits(9), { expected })
        isConflict(t, result, { actor: account, expected, actual }, 'the conflict')
      }
      t.equal(await store.lastPosition(), before, 'no record was stored')
      t.equal((await store.head(account)).version, actual)
    })

  test('without an expected version, any version is accepted', async (t, place) => {
    const store = await place.open()
    await fill(store, account, [2])
    t.equal((await mustAppend(store, account, deposits(1))).version, 3)
  })

  test('the events of a commit are stored together, at one position', async (t, place) => {
    const store = await place.open()
    const { commitId, position } = await mustAppend(store, account, deposits(1, 2, 3))
    const events = await collect(store.read(account))
    t.strictSame(
      events.map(event => event.kind === 'event' && [event.version, event.commitId]),
      [1, 2, 3].map(version => [version, commitId]),
    )
    t.ok(events.every(event => event.position === position))
  })

  test('a commit holds up to 1,000 events', async (t, place) => {
    const store = await place.open()
    const result = await mustAppend(store, account, deposits(...span(1, 1000)))
    t.equal(result.version, 1000)
    const events = await collect(store.read(account))
    t.strictSame(
      events.map(event => event.kind === 'event' && event.data),
      span(1, 1000).map(amount => ({ amount })),
    )
  })

  test('actors of one store do not share versions', async (t, place) => {
    const store = await place.open()
    for (const id of ['a', 'b', 'c'])
      t.equal(
        (await mustAppend(store, actorOf(id), deposits(1), { expected: 'none' })).version,
        1,
      )
  })

  test('one store appends after what another appended', async (t, place) => {
    const [one, two] = [await place.open(), await place.open()]
    await mustAppend(one, account, deposits(1), { expected: 'none' })
    await mustAppend(two, account, deposits(2), { expected: 1 })
    await mustAppend(one, account, deposits(3), { expected: 2 })
    t.strictSame(versionsOf(await collect(two.readAll()), account), [1, 2, 3])
  })
}

function show(expected: ExpectedVersion): string {
  return typeof expected === 'number'
    ? `expecting ${expected}`
    : `expecting '${expected}'`
}
