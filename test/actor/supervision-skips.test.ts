// Skipped versions: every way to fold a history leads to the same state.

import t from 'tap'

import { heldCommitsMax, recover, recoverAt, refresh } from '../../src/actor/recovery.js'
import type { FoldContext } from '../../src/actor/fold.js'
import { Directives } from '../../src/actor/directives.js'
import { actorRef } from '../../src/actor/ref.js'
import { DefinitionRegistry } from '../../src/actor/registry.js'
import { mergeRanges, Skips, type VersionRange } from '../../src/actor/skips.js'
import { supervise } from '../../src/actor/supervise.js'
import { supervisor } from '../../src/actor/supervisor.js'
import type { NewEvent } from '../../src/model/event.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'
import {
  account,
  alice,
  deposits,
  type LogLine,
  node,
  noKeeper,
  observe,
  pushCommit,
  randomFrom,
  write,
  watchesOn,
} from './support.js'

type State = { balance: number }

const sour: NewEvent = { type: 'spoiled' }
const deposit = (amount: number): NewEvent => ({ type: 'deposited', data: { amount } })

function foldingOf(ranges: readonly VersionRange[]): FoldContext<State> {
  return { actor: alice, behavior: account.behavior, skips: Skips.of(ranges) }
}

/** A host that applies directives for alice as soon as they are stored. */
async function supervised(log: MemoryLog, nodeId = 'a') {
  const definitions = new DefinitionRegistry([account])
  definitions.addBuiltIn(supervisor)
  const lines: LogLine[] = []
  const directives = new Directives({
    store: observe(log, nodeId),
    log: (level, message, details) => void lines.push({ level, message, details }),
  })
  await directives.load()
  const { host, store } = node({
    on: log,
    nodeId,
    definitions,
    directives,
    log: (level, message, details) => void lines.push({ level, message, details }),
  })
  const supervision = supervise(alice, {
    store,
    nodeId,
    read: (actor, bounds) => host.state(actor, bounds),
    sender: host,
    onDirective: (id, version) => directives.onCommit(id, version),
  })
  const ref = actorRef(account, 'alice', {
    durableSender: noKeeper,
    sender: host,
    store,
    watches: watchesOn(store),
    skips: async (actor, signal) => (await directives.now(actor, signal)).skips,
  })
  return { host, store, supervision, lines, ref }
}

void t.test('ranges are merged, covered and written as text', async t => {
  t.strictSame(
    mergeRanges([
      [7, 9],
      [3, 3],
      [4, 5],
      [8, 12],
    ]),
    [
      [3, 5],
      [7, 12],
    ],
  )
  t.equal(Skips.of([]), undefined)
  const skips = Skips.of([
    [3, 3],
    [7, 9],
  ])!
  t.equal(String(skips), '3,7-9')
  t.strictSame(
    [2, 3, 6, 7, 8, 9, 10].map(version => skips.upTo(version)),
    [undefined, '3', '3', '3,7', '3,7-8', '3,7-9', '3,7-9'],
  )
  t.strictSame(
    [
      [3, 3],
      [7, 8],
      [7, 10],
      [3, 7],
      [9, 8],
    ].map(([first, last]) => skips.covers(first!, last!)),
    [true, true, false, false, false],
  )
})

void t.test(
  'an event that cannot be folded is skipped by every kind of read',
  async t => {
    const log = new MemoryLog()
    await write(log, alice, [[deposit(1)], [deposit(2), sour, deposit(4)], [deposit(8)]])
    const { host, store, supervision, lines, ref } = await supervised(log)
    const parked = { code: 'actor-parked', details: { version: 3 } }
    await t.rejects(host.ask(alice, 'deposit', { amount: 16 }), parked)
    await t.rejects(ref.state(), parked)

    const outcome = await supervision.skip({ by: 'ann', reason: 'it is sour' })
    t.match(outcome, { ok: true, version: 1, reply: { skipped: [[3, 3]] } })
    t.match(await host.state(alice), {
      state: { balance: 15 },
      version: 5,
      exists: true,
    })
    t.match(await ref.state(), { state: { balance: 15 }, version: 5, exists: true })
    const balances: unknown[] = []
    for (let version = 0; version <= 5; version++)
      balances.push(((await host.stateAt(alice, version)).state as State).balance)
    t.strictSame(balances, [0, 1, 3, 3, 7, 15], 'time travel')
    t.match(
      lines.filter(({ message }) => message.startsWith('Folding')),
      [{ level: 'warn', message: 'Folding of account/alice skips version 3' }],
    )

    // A commit's inline state contains the skips, so waking is one read again.
    t.match(await host.ask(alice, 'deposit', { amount: 16 }), { version: 6, reply: 31 })
    const { last } = await store.head(alice)
    t.match(last, { state: { behavior: 1, skipped: '3', value: { balance: 31 } } })
    const fresh = await supervised(log, 'b')
    fresh.store.forget()
    t.match(await fresh.host.state(alice), {
      state: { balance: 31 },
      version: 6,
      exists: true,
    })
    t.strictSame(fresh.store.calls, { head: 1, commits: 0, append: 0 })

    const seen: number[] = []
    const over = new AbortController()
    for await (const step of ref.watch({ from: 0, signal: over.signal })) {
      seen.push(step.state.balance)
      if (step.version === 6) over.abort()
    }
    t.strictSame(seen, [1, 3, 3, 7, 15, 31], 'watching')
  },
)

void t.test(
  'SKIPS-1: a stored state is used only by readers with the same skips',
  async t => {
    const log = new MemoryLog()
    const first = await supervised(log)
    for (const amount of [1, 2, 4]) await first.host.ask(alice, 'deposit', { amount })
    // The whole history can be folded, and the log has inline states without skips.
    await first.supervision.skip({ version: 2 })
    t.match(await first.host.state(alice), {
      state: { balance: 5 },
      version: 3,
      exists: true,
    })
    t.match(await first.host.ask(alice, 'deposit', { amount: 8 }), { reply: 13 })

    // A node that does not know of the skip stores a state without it.
    pushCommit(log, {
      actor: alice,
      firstVersion: 5,
      events: [deposit(16)],
      state: { behavior: 1, value: { balance: 31 } },
    })
    first.host.onCommit({ actor: alice, version: 5, position: 99 })
    const expected = { state: { balance: 29 }, version: 5, exists: true }
    t.match(await first.host.state(alice), expected)
    t.match(await (await supervised(log, 'b')).host.state(alice), expected)
    t.match(await first.host.stateAt(alice, 5), expected)
    t.match(await first.ref.state(), expected)
    const without = await recover(first.store, foldingOf([]))
    t.match(without, { state: { balance: 31 }, version: 5 })
  },
)

void t.test('unreadable records and missing versions are skipped whole', async t => {
  const log = new MemoryLog()
  await write(log, alice, [[deposit(1)]])
  const events = [deposit(100), deposit(100)]
  pushCommit(log, { actor: alice, firstVersion: 2, events }, false)
  await write(log, alice, [[deposit(2)]])
  pushCommit(log, { actor: alice, firstVersion: 7, events: [deposit(4)] })
  const { host, supervision, ref } = await supervised(log)
  await t.rejects(host.state(alice), {
    code: 'actor-parked',
    details: { version: 5, through: 6, found: 7 },
  })
  t.match(await supervision.skip(), { reply: { skipped: [[5, 6]] } })
  await t.rejects(host.state(alice), {
    code: 'actor-parked',
    details: { version: 2, through: 3, position: 2 },
  })
  t.match(await supervision.skip(), {
    reply: {
      skipped: [
        [2, 3],
        [5, 6],
      ],
    },
  })
  t.match(await host.state(alice), {
    state: { balance: 7 },
    version: 7,
    exists: true,
  })
  t.match(await host.stateAt(alice, 5), { state: { balance: 3 }, version: 5 })
  t.match(await host.stateAt(alice, 2), { state: { balance: 1 }, version: 2 })

  // An unreadable record at the end takes its versions; the next commit follows them.
  pushCommit(log, { actor: alice, firstVersion: 8, events }, false)
  await t.rejects((await supervised(log, 'b')).host.state(alice), {
    code: 'actor-parked',
    details: { version: 8, through: 9 },
  })
  host.onCommit({ actor: alice, version: 9, position: 9 })
  await supervision.skip()
  t.match(await host.ask(alice, 'deposit', { amount: 8 }), { version: 10, reply: 15 })
  const again = await supervised(log, 'c')
  t.match(await again.host.state(alice), {
    state: { balance: 15 },
    version: 10,
    exists: true,
  })
  const seen: [number, number][] = []
  const over = new AbortController()
  for await (const step of ref.watch({ from: 0, signal: over.signal })) {
    seen.push([step.version, step.state.balance])
    if (step.version === 10) over.abort()
  }
  t.strictSame(seen, [
    [1, 1],
    [4, 3],
    [7, 7],
    [10, 15],
  ])
})

void t.test('a history of skipped versions only continues after them', async t => {
  const log = new MemoryLog()
  pushCommit(log, { actor: alice, firstVersion: 1, events: [sour, sour] }, false)
  const store = observe(log)
  t.match(await recover(store, foldingOf([[1, 2]])), {
    state: { balance: 0 },
    version: 2,
    position: 1,
  })
  await t.rejects(recover(store, foldingOf([[1, 1]])), { code: 'actor-parked' })
  t.match(await recoverAt(store, foldingOf([[1, 2]]), 1), { version: 1 })
})

void t.test('forward and backward reads agree for any length of history', async t => {
  const log = new MemoryLog()
  await write(log, alice, deposits(10))
  pushCommit(log, { actor: alice, firstVersion: 11 }, false)
  await write(log, alice, deposits(heldCommitsMax + 20))
  const folding = foldingOf([
    [11, 11],
    [20, 29],
  ])
  const version = 11 + heldCommitsMax + 20
  const balance = version - 11
  t.match(await recover(observe(log), folding), { version, state: { balance } })
  t.match(await recoverAt(observe(log), folding, version), {
    version,
    state: { balance },
  })
})

void t.test('all kinds of read agree, for any skips and inline states', async t => {
  const skipped: VersionRange[] = [
    [3, 3],
    [8, 10],
    [14, 15],
  ]
  const folding = foldingOf(skipped)
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed)
    const log = new MemoryLog()
    const store = observe(log)
    let known = await recover(store, folding)
    const balances = [0]
    for (let version = 1; version <= 20; version++) {
      const isSkipped = folding.skips!.covers(version, version)
      balances.push(balances.at(-1)! + (isSkipped ? 0 : version))
      const value = { balance: balances.at(-1)! }
      const tag = folding.skips!.upTo(version)
      const state =
        random() < 0.3
          ? { behavior: 1, value, ...(tag !== undefined && { skipped: tag }) }
          : // As a node that knows of no skips stores it.
            { behavior: 1, value: { balance: -1 }, skipped: '1' }
      pushCommit(
        log,
        {
          actor: alice,
          firstVersion: version,
          events: [isSkipped && random() < 0.5 ? sour : deposit(version)],
          ...(random() < 0.6 && { state }),
        },
        !(isSkipped && random() < 0.5),
      )
      const expected = { state: value, version }
      if (random() < 0.4) {
        known = await refresh(store, folding, known)
        t.match(known, expected, `seed ${seed}: caught up at ${version}`)
      }
      t.match(await recover(store, folding), expected, `seed ${seed}: at ${version}`)
    }
    for (const [version, balance] of balances.entries())
      t.match(
        await recoverAt(store, folding, version),
        { state: { balance }, version },
        `seed ${seed}: as of ${version}`,
      )
  }
})

void t.test('a skip that is not possible is rejected', async t => {
  const log = new MemoryLog()
  const { host, supervision } = await supervised(log)
  await host.ask(alice, 'deposit', { amount: 1 })
  t.match(await supervision.skip(), {
    ok: false,
    rejection: { code: 'not-parked', message: /can be read up to version 1/ },
  })
  await t.rejects(supervision.skip({ version: 2 }), {
    code: 'unknown-version',
    details: { actual: 1 },
  })
  await t.rejects(supervision.skip({ version: -1 }), { code: 'invalid-option' })
  t.match(await supervision.skip({ version: 0 }), { rejection: { code: 'bad-order' } })
  t.match(await supervision.skip({ version: 1 }), { ok: true })
  t.match(await supervision.skip({ version: 1 }), {
    rejection: { code: 'already-skipped' },
  })
  // Parked on an event that it folded but never stored: there is no version to skip.
  await t.rejects(host.ask(alice, 'spoil', undefined), { code: 'actor-parked' })
  await t.rejects(supervision.skip(), { code: 'unknown-version' })
  t.match(await supervision.retry(), { ok: true })
  await until(() => host.stats().parked === 0, { describe: 'it is read again' })
  t.match(await host.ask(alice, 'deposit', { amount: 2 }), { reply: 2 })
})

void t.test('a watcher applies skips that are given meanwhile', async t => {
  const log = new MemoryLog()
  const { host, supervision, ref } = await supervised(log)
  const over = new AbortController()
  const seen: number[] = []
  const run = (async () => {
    for await (const { state } of ref.watch({ from: 0, signal: over.signal }))
      seen.push(state.balance)
  })()
  for (const amount of [1, 2]) await host.ask(alice, 'deposit', { amount })
  await until(() => seen.length === 2)
  await supervision.skip({ version: 1 })
  await host.ask(alice, 'deposit', { amount: 4 })
  await until(() => seen.length === 3)
  over.abort()
  await run
  t.strictSame(seen, [1, 3, 6])
})
