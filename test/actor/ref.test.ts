// References to actors.

import t from 'tap'

import { actorRef } from '../../src/actor/ref.js'
import type { WatchOptions } from '../../src/actor/watch.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'
import {
  account,
  alice,
  deposits,
  node,
  noKeeper,
  pushCommit,
  pushForeign,
  watchesOn,
  write,
} from './support.js'

function open(log = new MemoryLog()) {
  const { host, store, lines } = node({ on: log })
  const watches = watchesOn(store)
  const ports = { sender: host, durableSender: noKeeper, store, watches }
  const ref = actorRef(account, 'alice', ports)
  return { host, store, lines, log, ref, watches }
}

/** Collects the events of a reference's watch, until it is stopped. */
function watching(ref: ReturnType<typeof open>['ref'], options: WatchOptions = {}) {
  const stop = new AbortController()
  const seen: [version: number, balance: number][] = []
  const run = async () => {
    for await (const { version, state, event } of ref.watch({
      ...options,
      signal: stop.signal,
    })) {
      if (event === undefined) continue // the state that a watch begins with
      if (event.version !== version) throw new Error('an event of another version')
      seen.push([version, state.balance])
    }
  }
  const ended = run()
  return {
    seen,
    ended,
    async stop() {
      stop.abort()
      await ended
      return seen
    },
  }
}

void t.test('a reference asks, tells, and reads state and events', async t => {
  const { ref, host } = open()
  t.strictSame(ref.address, alice)
  await ref.tell('deposit', { amount: 5 })
  const stored = await ref.ask('deposit', { amount: 1 })
  t.match(stored, { version: 2, reply: 6 })
  t.strictSame(await ref.state(), {
    state: { balance: 6 },
    version: 2,
    position: stored.position,
    exists: true,
  })
  const types: string[] = []
  for await (const event of ref.events({ backwards: true }))
    if (event.kind === 'event') types.push(`${event.version} ${event.type}`)
  t.strictSame(types, ['2 deposited', '1 deposited'])
  t.match(host.stats(), { tells: 1, asks: 1 })
})

void t.test('a reference with an invalid id is an error', async t => {
  const { host, store } = open()
  t.throws(
    () => actorRef(account, '', { sender: host, durableSender: noKeeper, store }),
    {
      code: 'invalid-actor-id',
    },
  )
})

void t.test('events include records that cannot be read', async t => {
  const { ref, log } = open()
  await write(log, alice, deposits(1))
  pushForeign(log, alice)
  pushCommit(log, { actor: alice, firstVersion: 2 }, false)
  const kinds: string[] = []
  for await (const event of ref.events()) kinds.push(event.kind)
  t.strictSame(kinds, ['event', 'malformed', 'malformed'])
  await t.rejects(ref.state(), { code: 'actor-parked' })
  await t.rejects(ref.state({ signal: AbortSignal.abort() }), { code: 'aborted' })
})

void t.test(
  'watching begins with the present state, and yields each new event with the state after it',
  async t => {
    const { ref } = open()
    const from = ref.watch({ from: 0 })[Symbol.asyncIterator]()
    const watcher = ref.watch()[Symbol.asyncIterator]()
    const { value: before } = await watcher.next()
    t.strictSame(before, {
      state: { balance: 0 },
      version: 0,
      position: 0,
      exists: false,
    })
    await ref.ask('deposit', { amount: 1 })
    t.match(await watcher.next(), {
      value: { version: 1, position: 1, exists: true, event: { type: 'deposited' } },
    })
    await watcher.return?.()

    const later = ref.watch()[Symbol.asyncIterator]()
    const { value: present } = await later.next()
    t.strictSame(present, {
      state: { balance: 1 },
      version: 1,
      position: 1,
      exists: true,
    })
    await ref.ask('split', [10, 100])
    t.match(await later.next(), { value: { version: 2, state: { balance: 11 } } })
    t.match(await later.next(), { value: { version: 3, event: { type: 'deposited' } } })
    await later.return?.()
    t.match(await from.next(), { value: { version: 1, event: { type: 'deposited' } } })
    await from.return?.()
  },
)

void t.test('until waits for a state, and leaves none out', async t => {
  const { ref } = open()
  const reached = ref.until(({ balance }) => balance === 3, { timeout: 60_000 })
  await ref.ask('split', [1, 2, 4])
  t.strictSame(await reached, {
    state: { balance: 3 },
    version: 2,
    position: 1,
    exists: true,
  })
  const present = await ref.until(({ balance }) => balance === 7)
  t.equal(present.version, 3, 'the present state counts')

  await t.rejects(
    ref.until(() => false, { timeout: 20 }),
    {
      code: 'deadline-exceeded',
      message: /account\/alice was not as wanted within 20 ms; it is at version 3\./,
      details: { actor: 'account/alice', version: 3, timeout: 20 },
    },
  )
  const stop = new AbortController()
  const given = ref.until(() => false, { signal: stop.signal })
  stop.abort()
  await t.rejects(given, { code: 'aborted' })
  await t.rejects(
    ref.until(() => {
      throw new TypeError('no such field')
    }),
    { name: 'TypeError', message: 'no such field' },
  )
  await t.rejects(ref.until((async () => false) as never), {
    code: 'invalid-option',
    message: /returns a promise/,
  })
  await t.rejects(
    ref.until(() => true, { timeout: 0 }),
    { code: 'invalid-option' },
  )
  await t.rejects(
    ref.until(() => true, { tmeout: 5 } as never),
    {
      code: 'invalid-option',
      message: /until has no option "tmeout"/,
    },
  )
})

void t.test('a command may expect a version', async t => {
  const { ref, store } = open()
  const first = await ref.ask('deposit', { amount: 1 }, { expectedVersion: 0 })
  t.match(first, { ok: true, version: 1 })
  const late = await ref.ask('deposit', { amount: 1 }, { expectedVersion: 0 })
  t.match(late, {
    ok: false,
    version: 1,
    rejection: {
      code: 'version-conflict',
      message: /is at version 1, and the command expects version 0/,
      details: { expected: 0, actual: 1 },
    },
  })
  const again = { expectedVersion: 1, commandId: 'once' }
  t.match(await ref.ask('deposit', { amount: 5 }, again), { ok: true, version: 2 })
  t.match(
    await ref.ask('deposit', { amount: 5 }, again),
    { ok: true, version: 2, duplicate: true },
    'a command that is sent again gets its first answer',
  )
  t.equal((await ref.state()).state.balance, 6)

  const { appended } = { appended: store.calls.append }
  const rivals = await Promise.all(
    Array.from({ length: 20 }, () =>
      ref.ask('deposit', { amount: 1 }, { expectedVersion: 2 }),
    ),
  )
  t.equal(rivals.filter(({ ok }) => ok).length, 1, 'of those that wait, one is stored')
  t.equal(store.calls.append, appended + 1)
  for (const expectedVersion of [-1, 1.5, '2'] as number[])
    await t.rejects(ref.ask('deposit', { amount: 1 }, { expectedVersion }), {
      code: 'invalid-option',
    })
  await t.rejects(ref.tell('deposit', { amount: 1 }, { expectedVersion: 1 } as never), {
    code: 'invalid-option',
    message: /tell has no option "expectedVersion"/,
  })
})

void t.test('watching from a version starts after it, also within a commit', async t => {
  const { ref } = open()
  await ref.ask('split', [1, 2, 3])
  await ref.ask('withdraw', { amount: 6 })
  const all: [number, number][] = [
    [1, 1],
    [2, 3],
    [3, 6],
    [4, 0],
  ]
  for (let from = 0; from <= 4; from++) {
    const watcher = watching(ref, { from })
    await until(() => watcher.seen.length === 4 - from)
    t.strictSame(await watcher.stop(), all.slice(from), `from ${from}`)
  }
})

void t.test('watching yields every event once while others write', async t => {
  const log = new MemoryLog()
  const { ref } = open(log)
  const other = node({ on: log, nodeId: 'b' })
  const watchers = [watching(ref, { from: 0 }), watching(ref), watching(ref, { from: 0 })]
  const asks: Promise<unknown>[] = []
  for (let i = 0; i < 100; i++) {
    asks.push(ref.ask('deposit', { amount: 1 }, { timeout: 60_000 }))
    asks.push(other.host.ask(alice, 'deposit', { amount: 1 }, { timeout: 60_000 }))
    asks.push(other.host.ask({ ...alice, id: 'bob' }, 'deposit', { amount: 1 }))
    if (i === 50) watchers.push(watching(ref, { from: 20 }))
    if (i % 10 === 0) pushForeign(log, alice)
    await asks.at(-1)
  }
  await Promise.all(asks)
  for (const watcher of watchers) {
    await until(() => watcher.seen.at(-1)?.[0] === 200)
    const seen = await watcher.stop()
    const start = seen[0]![0]
    t.strictSame(
      seen,
      seen.map((_, i) => [start + i, start + i]),
    )
  }
})

void t.test('watching yields versions in order although a read lags', async t => {
  const { ref, store, log } = open()
  await write(log, alice, deposits(5))
  const commits = store.commits.bind(store)
  const head = store.head.bind(store)
  const old = { version: 0, position: 0 }
  let looked = 0
  store.head = async (actor, options) => (++looked <= 3 ? old : head(actor, options))
  let read = 0
  store.commits = async function* (actor, options) {
    if (++read > 1) yield* commits(actor, options)
  }
  const watcher = watching(ref)
  await until(() => looked === 1)
  await write(log, alice, deposits(1))
  await until(() => watcher.seen.at(-1)?.[0] === 6)
  t.strictSame(
    await watcher.stop(),
    [1, 2, 3, 4, 5, 6].map(version => [version, version]),
  )
})

void t.test('watching ends with an error if the history cannot be folded', async t => {
  const { ref, log } = open()
  await write(log, alice, deposits(1))
  const unreadable = watching(ref, { from: 0 })
  await until(() => unreadable.seen.length === 1)
  pushCommit(log, { actor: alice, firstVersion: 2 }, false)
  await t.rejects(unreadable.ended, {
    code: 'actor-parked',
    message: /version 2 at position 2/,
  })
  await t.rejects(watching(ref, { from: 0 }).ended, { code: 'actor-parked' })
  await t.rejects(watching(open().ref, { from: 9 }).ended, { code: 'unknown-version' })
  const spoiled = open()
  const spoiling = watching(spoiled.ref, { from: 0 })
  await write(spoiled.log, alice, [[{ type: 'spoiled' }]])
  await t.rejects(spoiling.ended, { code: 'actor-parked', message: /milk is sour/ })
})

void t.test(
  'watching ends without an error on its signal, even one that fired before',
  async t => {
    const { ref } = open()
    const seen: unknown[] = []
    for await (const item of ref.watch({ signal: AbortSignal.abort() })) seen.push(item)
    t.strictSame(seen, [])
    t.strictSame(await watching(ref).stop(), [])
  },
)
