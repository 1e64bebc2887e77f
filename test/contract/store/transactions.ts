// Contract: an append to several actors is stored in all of them or in none.

import type { Test } from 'tap'

import type { ActorAddress } from '../../../src/model/address.js'
import type { LogRecord } from '../../../src/model/commit.js'
import { type CairnError, isCairnError } from '../../../src/model/errors.js'
import type {
  AppendAllOptions,
  AppendedAll,
  AppendPart,
  EventStore,
} from '../../../src/store/event-store/event-store.js'
import {
  guardType,
  transactionActorsMax,
  transactionBytesMax,
} from '../../../src/store/event-store/transaction.js'
import {
  account,
  actorOf,
  asCommit,
  collect,
  deposits,
  followed,
  mustAppend,
  refuses,
  span,
  type Suite,
  versionsOf,
} from './support.js'

const bob = actorOf('bob')
const carol = actorOf('carol')

const part = (
  actor: ActorAddress,
  expected: number,
  ...amounts: number[]
): AppendPart => ({
  actor,
  events: deposits(...amounts),
  expected,
})

async function mustAppendAll(
  store: EventStore,
  parts: readonly AppendPart[],
  options?: AppendAllOptions,
): Promise<AppendedAll> {
  const result = await store.appendAll(parts, options)
  if (result.ok) return result
  throw new Error(`appendAll met ${JSON.stringify(result)}`)
}

/** Transaction id → actors whose histories have it, without the records of guards. */
function partsOf(records: readonly LogRecord[]): Map<string, string[]> {
  const parts = new Map<string, string[]>()
  for (const record of records) {
    const { transactionId, actor } = asCommit(record)
    if (transactionId === undefined || actor.type === guardType) continue
    parts.set(transactionId, [...(parts.get(transactionId) ?? []), actor.id])
  }
  return parts
}

async function isEmpty(t: Test, store: EventStore): Promise<void> {
  t.equal(await store.lastPosition(), 0, 'nothing is stored')
}

export function testTransactions(test: Suite): void {
  test('an append to several actors is a commit in each history, with a common id', async (t, place) => {
    const store = await place.open({ nodeId: 'writer' })
    await mustAppend(store, bob, deposits(5))
    const result = await mustAppendAll(
      store,
      [
        {
          ...part(account, 0, 1, 2),
          command: { id: 'c/1', reply: 'done' },
          state: { behavior: 1, value: { balance: 3 } },
          outbox: [{ kind: 'message', topic: 'moves', version: 1, data: 3 }],
        },
        { ...part(bob, 1, 3), command: { id: 'c/2' }, behaviorVersion: 2 },
      ],
      { transactionId: 'move 1', at: 1_000, correlationId: 'k', causationId: 'w' },
    )
    t.match(result, { ok: true, transactionId: 'move 1' })
    t.match(result.appended, [
      { ok: true, actor: account, firstVersion: 1, version: 2, position: 2 },
      { ok: true, actor: bob, firstVersion: 2, version: 2, position: 3 },
    ])
    const records = (await collect(store.readAll())).map(asCommit).slice(1)
    t.match(records, [
      {
        id: result.appended[0]!.commitId,
        actor: account,
        position: 2,
        transactionId: 'move 1',
        command: { id: 'c/1', reply: 'done' },
        state: { behavior: 1, value: { balance: 3 } },
        outbox: [{ kind: 'message', topic: 'moves', version: 1, data: 3 }],
        at: 1_000,
        nodeId: 'writer',
        correlationId: 'k',
        causationId: 'w',
      },
      {
        id: result.appended[1]!.commitId,
        behaviorVersion: 2,
        actor: bob,
        position: 3,
        transactionId: 'move 1',
        command: { id: 'c/2' },
      },
    ])
    const backwards = await collect(store.commits(bob, { backwards: true }))
    t.strictSame(
      backwards.map(record => asCommit(record).lastVersion),
      [2, 1],
      'a history is read back through it',
    )
    t.equal(asCommit(backwards[1]).transactionId, undefined, 'a plain commit has none')
  })

  test('one actor at another version keeps all parts from being stored, and all conflicts are named', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    for (const actor of [account, bob, carol]) await mustAppend(store, actor, deposits(1))
    await mustAppend(other, bob, deposits(2))
    await mustAppend(other, carol, deposits(2, 3))
    const result = await store.appendAll([
      part(account, 1, 9),
      part(bob, 1, 9),
      part(carol, 1, 9),
    ])
    t.strictSame(result, {
      ok: false,
      conflicts: [
        { ok: false, actor: bob, expected: 1, actual: 2 },
        { ok: false, actor: carol, expected: 1, actual: 3 },
      ],
    })
    t.equal(await store.lastPosition(), 5, 'nothing is stored')
    const again = await mustAppendAll(store, [
      part(account, 1, 9),
      part(bob, 2, 9),
      part(carol, 3, 9),
    ])
    t.strictSame(
      again.appended.map(({ version }) => version),
      [2, 3, 4],
    )
  })

  test('an actor that should be new, or should exist, or may be anything', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, account, deposits(1))
    const events = deposits(2)
    t.strictSame(
      await store.appendAll([
        { actor: account, events, expected: 'none' },
        { actor: bob, events, expected: 'exists' },
        { actor: carol, events },
      ]),
      {
        ok: false,
        conflicts: [
          { ok: false, actor: account, expected: 'none', actual: 1 },
          { ok: false, actor: bob, expected: 'exists', actual: 0 },
        ],
      },
    )
    const result = await mustAppendAll(store, [
      { actor: account, events, expected: 'exists' },
      { actor: bob, events, expected: 'none' },
      { actor: carol, events },
    ])
    t.strictSame(
      result.appended.map(({ version }) => version),
      [2, 1, 1],
    )
  })

  test('the cache is correct afterwards: the next appends cause no conflict', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await mustAppendAll(store, [part(account, 0, 1), part(bob, 0, 1, 2)])
    t.equal(store.cachedVersion(account), 1)
    t.equal(store.cachedVersion(bob), 2)
    await mustAppend(store, account, deposits(1), { expected: 1 })
    await mustAppendAll(store, [part(bob, 2, 1), part(account, 2, 1)])
    // Wrong cache entries of every kind, too high and too low.
    other.updateVersionCache(account, 40, 400)
    other.updateVersionCache(bob, 1, 2)
    const wrong = await other.appendAll([part(account, 1, 1), part(bob, 1, 1)])
    t.match(wrong, { ok: false, conflicts: [{ actual: 3 }, { actual: 3 }] })
    t.equal(other.cachedVersion(account), 3, 'a conflict heals')
    t.equal(other.cachedVersion(bob), 3)
    await mustAppendAll(other, [part(account, 3, 1), part(bob, 3, 1)])
    t.equal((await store.head(account)).version, 4)
  })

  test('of several racers over the same actors, exactly one wins each round', async (t, place) => {
    const stores = await Promise.all(span(1, 4).map(() => place.open()))
    const rounds = 20
    for (let round = 0; round < rounds; round++) {
      const results = await Promise.all(
        stores.map((store, racer) => {
          // Each in another order, as independent writers would.
          const parts = [
            part(account, round, 1),
            part(bob, round, 1),
            part(carol, round, 1),
          ]
          const order = [...parts.slice(racer % 3), ...parts.slice(0, racer % 3)]
          return store.appendAll(order, { timeout: 60_000 })
        }),
      )
      const won = results.filter(result => result.ok)
      if (won.length !== 1) t.fail(`${won.length} racers won round ${round}`)
    }
    const records = await collect(stores[0]!.readAll())
    for (const actor of [account, bob, carol])
      t.strictSame(versionsOf(records, actor), span(1, rounds), 'no gap, none lost')
    const parts = [...partsOf(records).values()]
    t.equal(parts.length, rounds)
    t.ok(parts.every(({ length }) => length === 3))
  })

  test('transfers between few actors, and plain appends among them: all or nothing', async (t, place) => {
    const stores = await Promise.all(span(1, 3).map(() => place.open()))
    const ids = span(0, 3).map(i => `purse-${i}`)
    const each = 25
    const retry = async (store: EventStore, actors: ActorAddress[]) => {
      for (;;) {
        const heads = await Promise.all(actors.map(actor => store.head(actor)))
        const parts = actors.map((actor, i) => part(actor, heads[i]!.version, 1))
        const result = await store.appendAll(parts, { timeout: 60_000 })
        if (result.ok) return result.transactionId
      }
    }
    const told = await Promise.all(
      stores.map(async (store, s) => {
        const transactions: string[] = []
        for (let i = 0; i < each; i++) {
          const [from, to] = [(i + s) % 4, (i + s + 1 + (i % 3)) % 4]
          transactions.push(await retry(store, [actorOf(ids[from]!), actorOf(ids[to]!)]))
          if (i % 5 === 0)
            await mustAppend(store, actorOf(ids[to]!), deposits(0), { timeout: 60_000 })
        }
        return transactions
      }),
    )
    const records = await collect(stores[0]!.readAll())
    const parts = partsOf(records)
    t.strictSame([...parts.keys()].toSorted(), told.flat().toSorted())
    t.ok([...parts.values()].every(({ length }) => length === 2))
    for (const id of ids) {
      const versions = versionsOf(records, actorOf(id))
      t.strictSame(versions, span(1, versions.length), `${id} has no gap`)
    }
    // The parts are next to each other in the log.
    const positions = new Map<string, number[]>()
    for (const { transactionId: id, position } of records.map(asCommit))
      if (id !== undefined) positions.set(id, [...(positions.get(id) ?? []), position])
    t.ok([...positions.values()].every(([first, second]) => second === first! + 1))
  })

  test('an actor that is only read is guarded at its version', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    await mustAppend(store, bob, deposits(1))
    const guards = [
      { actor: bob, version: 1 },
      { actor: carol, version: 0 },
    ]
    const first = await mustAppendAll(store, [part(account, 0, 1)], { guards })
    t.strictSame(
      first.appended.map(({ actor, version }) => [actor.id, version]),
      [['alice', 1]],
    )
    await mustAppend(other, bob, deposits(2))
    t.strictSame(await store.appendAll([part(account, 1, 1)], { guards }), {
      ok: false,
      conflicts: [{ ok: false, actor: bob, expected: 1, actual: 2 }],
    })
    await mustAppend(other, carol, deposits(2))
    t.strictSame(
      await store.appendAll([part(account, 0, 1)], { guards }),
      {
        ok: false,
        conflicts: [
          { ok: false, actor: account, expected: 0, actual: 1 },
          { ok: false, actor: bob, expected: 1, actual: 2 },
          { ok: false, actor: carol, expected: 0, actual: 1 },
        ],
      },
      'all are named, including guards',
    )
    t.equal((await store.head(account)).version, 1)
    t.equal((await store.head(bob)).version, 2, 'a guard does not change an actor')
  })

  test('a guard leaves a record that names it, and histories stay complete', async (t, place) => {
    const store = await place.open()
    await mustAppend(store, bob, deposits(1, 2))
    const guards = [bob, carol].map(actor => ({ actor, version: actor === bob ? 2 : 0 }))
    await mustAppendAll(store, [part(account, 0, 1)], { guards, transactionId: 'g' })
    const records = (await collect(store.readAll())).map(asCommit)
    const left = records.filter(({ actor }) => actor.type === guardType)
    t.strictSame(
      left.map(({ transactionId, events, firstVersion }) => [
        transactionId,
        firstVersion,
        events.map(({ type, data }) => [type, data]),
      ]),
      [
        ['g', 1, [['guarded', { actor: 'account/bob', version: 2 }]]],
        ['g', 2, [['guarded', { actor: 'account/carol', version: 0 }]]],
      ],
    )
    const recorder = left[0]!.actor
    const back = await collect(store.commits(recorder, { backwards: true }))
    t.strictSame(
      back.map(record => [asCommit(record).actor, asCommit(record).lastVersion]),
      [
        [recorder, 2],
        [recorder, 1],
      ],
    )
    t.equal((await store.head(recorder)).version, 2)
  })

  test('a decision that depends on an actor that changes concurrently is never stored', async (t, place) => {
    // Write skew: each of two may leave only while the other stays.
    const stores = await Promise.all(span(1, 2).map(() => place.open()))
    for (let round = 0; round < 15; round++) {
      const doctors = [actorOf(`a-${round}`), actorOf(`b-${round}`)]
      const results = await Promise.all(
        stores.map((store, i) =>
          store.appendAll([part(doctors[i]!, 0, 1)], {
            guards: [{ actor: doctors[1 - i]!, version: 0 }],
            timeout: 60_000,
          }),
        ),
      )
      const won = results.filter(({ ok }) => ok).length
      if (won !== 1) t.fail(`${won} left in round ${round}`)
    }
    const records = await collect(stores[0]!.readAll())
    const left = records.map(asCommit).filter(({ actor }) => actor.type !== guardType)
    t.equal(left.length, 15, 'one in each round')
  })

  test('guards with names of equal length and equal versions are distinguished', async (t, place) => {
    const store = await place.open()
    // All of one length, all without events but the last.
    const guards = span(1, 9).map(i => ({ actor: actorOf(`guarded-${i}`), version: 0 }))
    await mustAppend(store, guards.at(-1)!.actor, deposits(1))
    t.strictSame(await store.appendAll([part(account, 0, 1)], { guards }), {
      ok: false,
      conflicts: [{ ok: false, actor: guards.at(-1)!.actor, expected: 0, actual: 1 }],
    })
    await mustAppendAll(store, [part(account, 0, 1)], { guards: guards.slice(0, -1) })
  })

  test('actors with names of equal length and different versions are stored together', async (t, place) => {
    const store = await place.open()
    const actors = span(10, 39).map(i => actorOf(`same-length-${i}`))
    for (const [i, actor] of actors.entries())
      if (i % 3 > 0) await mustAppend(store, actor, deposits(...span(1, i)))
    const parts = actors.map((actor, i) => part(actor, i % 3 > 0 ? i : 0, 1))
    const { appended } = await mustAppendAll(store, parts)
    t.strictSame(
      appended.map(({ version }) => version),
      actors.map((_, i) => (i % 3 > 0 ? i + 1 : 1)),
    )
    const records = (await collect(store.readAll())).slice(-actors.length)
    t.strictSame(
      records.map(record => asCommit(record).actor),
      actors,
    )
  })

  test('followers get every part, in order', async (t, place) => {
    const [store, other] = [await place.open(), await place.open()]
    const work = followed(other, 4)
    await mustAppendAll(store, [part(account, 0, 1), part(bob, 0, 1)])
    await mustAppendAll(store, [part(bob, 1, 1), part(account, 1, 1)])
    const records = (await work).map(asCommit)
    t.strictSame(
      records.map(({ actor, lastVersion, position }) => [
        actor.id,
        lastVersion,
        position,
      ]),
      [
        ['alice', 1, 1],
        ['bob', 1, 2],
        ['bob', 2, 3],
        ['alice', 2, 4],
      ],
    )
  })

  test('the maximum number of actors is stored, and one more is refused', async (t, place) => {
    const store = await place.open()
    const actors = span(1, transactionActorsMax + 1).map(i => actorOf(`many-${i}`))
    const parts = actors.map(actor => part(actor, 0, 1))
    await refuses(t, 'commit-too-large', () => store.appendAll(parts), 'written')
    const [first, ...rest] = parts
    const guards = rest.map(({ actor }) => ({ actor, version: 0 }))
    await refuses(
      t,
      'commit-too-large',
      () => store.appendAll([first!], { guards }),
      'guarded actors count',
    )
    await isEmpty(t, store)
    await mustAppendAll(store, rest)
    t.equal(await store.lastPosition(), transactionActorsMax)
  })

  test('a transaction over the limit of bytes is refused', async (t, place) => {
    const store = await place.open()
    const data = new Uint8Array(600_000)
    const count = Math.floor(transactionBytesMax / data.length)
    const parts = span(0, count).map(i => ({
      actor: actorOf(`big-${i}`),
      events: [{ type: 'grown', data }],
      expected: 0,
    }))
    try {
      await store.appendAll(parts)
      t.fail('it is refused')
    } catch (error) {
      t.ok(isCairnError(error, 'commit-too-large'))
      const { limit, actual } = (error as CairnError).details
      t.equal(limit, transactionBytesMax)
      t.ok((actual as number) > transactionBytesMax)
    }
    await isEmpty(t, store)
    await mustAppendAll(store, parts.slice(1))
  })

  test('invalid input is refused before anything is stored', async (t, place) => {
    const store = await place.open()
    const good = part(account, 0, 1)
    const all = (parts: readonly AppendPart[], options?: AppendAllOptions) => () =>
      store.appendAll(parts, options)
    const twice = { guards: [{ actor: account, version: 0 }] }
    const badGuard = { guards: [{ actor: bob, version: -1 }] }
    const nobody = { guards: [{ actor: actorOf(''), version: 1 }] }
    const state = { behavior: 1, value: 1 }
    for (const [what, code, work] of [
      ['no part', 'invalid-option', all([])],
      ['an actor twice', 'invalid-option', all([good, part(account, 1, 2)])],
      ['an actor written and guarded', 'invalid-option', all([good], twice)],
      ['a guard of no version', 'invalid-option', all([good], badGuard)],
      ['a guard of no actor', 'invalid-actor-id', all([good], nobody)],
      [
        'a part without events',
        'invalid-event',
        all([good, { ...good, actor: bob, events: [] }]),
      ],
      [
        'data that cannot be stored, in the last part',
        'invalid-data',
        all([good, { actor: bob, events: [{ type: 'x', data: new Map() }] }]),
      ],
      [
        'a state for any version',
        'invalid-option',
        all([{ ...good, expected: 'any', state }]),
      ],
      ['an expectation that is none', 'invalid-option', all([{ ...good, expected: -1 }])],
      ['a deadline that is none', 'invalid-option', all([good], { timeout: -1 })],
      ['an aborted signal', 'aborted', all([good], { signal: AbortSignal.abort() })],
      [
        'an id that is no text',
        'invalid-option',
        all([good], { transactionId: '\ud800' }),
      ],
    ] as const)
      await refuses(t, code, work, what)
    await isEmpty(t, store)
    await store.close()
    await refuses(t, 'store-closed', all([good]), 'a closed store')
  })
}
