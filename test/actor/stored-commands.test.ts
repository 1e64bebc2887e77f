// Stored commands: each takes effect once, however long ago and however many commits before it was
// handled, and the search costs no more reads than necessary.

import t from 'tap'

import { deferred } from '../../src/model/wait.js'
import { memory, startNode } from '../../src/index.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { ManualClock } from '../../src/testing/manual-clock.js'
import { until } from '../support/wait.js'
import { account, alice, node } from './support.js'

const forgetful = {
  ...account,
  options: { ...account.options, commandWindow: { commands: 2, ms: 600_000 } },
}
const one = { amount: 1 }

/** Hosts of one log, each with its own view of it. */
function hosts() {
  const log = new MemoryLog()
  const make = (nodeId: string) => node({ actors: [forgetful], on: log, nodeId })
  const raw = new MemoryStore({ namespace: 'test', nodeId: 'raw', log })
  return { log, a: make('a'), b: make('b'), raw }
}

await t.test(
  'a conflict with more commits than the window holds is reported',
  async t => {
    const { log, a, b } = hosts()
    await a.host.ask(alice, 'deposit', one)
    const gate = deferred<void>()
    const held = deferred<void>()
    a.store.before = async operation => {
      if (operation !== 'append') return
      held.resolve()
      await gate.promise
    }
    const late = a.host.ask(alice, 'deposit', one, { commandId: 'kept' })
    await held.promise
    const first = await b.host.ask(alice, 'deposit', one, { commandId: 'kept' })
    for (let i = 0; i < 10; i++) await b.host.ask(alice, 'deposit', one)
    gate.resolve()
    t.strictSame(await late, { ...first, duplicate: true })
    t.equal(log.records.length, 12, 'it is stored once')
  },
)

await t.test(
  'commands since a position are searched for, however small the window is',
  async t => {
    const { log, a, b } = hosts()
    for (let i = 0; i < 3; i++) await a.host.ask(alice, 'deposit', one)
    const kept = { commandId: 'kept', redelivery: { sentAfter: 3 } }
    const first = await a.host.ask(alice, 'deposit', one, kept)
    for (let i = 0; i < 10; i++) await a.host.ask(alice, 'deposit', one)
    for (const { host } of [a, b])
      t.strictSame(await host.ask(alice, 'deposit', one, kept), {
        ...first,
        duplicate: true,
      })
    t.equal(log.records.length, 14)
    const wrong = { commandId: 'kept', redelivery: { sentAfter: 4 } }
    t.match(
      await b.host.ask(alice, 'deposit', one, wrong),
      { duplicate: false, version: 15 },
      'a position that the log had not reached then is outside the promise',
    )
  },
)

await t.test('no clock decides whether a command was handled', async t => {
  const log = new MemoryLog()
  const hours = [24, 29, 19, 24_000, 25]
  const nodes = hours.map((hour, i) =>
    node({ on: log, nodeId: `n${i}`, clock: new ManualClock(hour * 3_600_000) }),
  )
  const sent = { commandId: 'kept', redelivery: { sentAfter: 0 } }
  for (const { host } of [...nodes, ...nodes.toReversed()]) {
    t.match(await host.ask(alice, 'deposit', one, sent), { version: 1 })
    await host.ask(alice, 'balance', undefined)
  }
  t.equal(log.records.length, 1)
})

await t.test(
  'an id of a caller is looked for in the window as well as since it was sent',
  async t => {
    const { a, b, log } = hosts()
    const first = await a.host.ask(alice, 'deposit', one, { commandId: 'again' })
    const sent = { sentAfter: 1, inbox: { position: 9, isFirst: false } }
    const again = { commandId: 'again', redelivery: { ...sent, isCallersId: true } }
    for (const { host } of [a, b])
      t.strictSame(await host.ask(alice, 'deposit', one, again), {
        ...first,
        duplicate: true,
      })
    t.equal(log.records.length, 1)
  },
)

/** The options of a command at a position in the inbox. */
function fromInbox(position: number, sentAfter = 0, isFirst = true) {
  const redelivery = { sentAfter, inbox: { position, isFirst } }
  return { commandId: `c${position}`, redelivery }
}

await t.test(
  'first deliveries from the inbox in order cost no read, whatever lies between',
  async t => {
    const { a, b } = hosts()
    await a.host.ask(alice, 'deposit', one, fromInbox(1))
    for (let i = 2; i < 20; i++) {
      for (let n = 0; n < 5; n++) await a.host.ask(alice, 'deposit', one)
      const { host, store } = i % 2 === 0 ? b : a
      host.markUnverified()
      store.forget()
      const outcome = await host.ask(alice, 'deposit', one, fromInbox(i))
      t.match(outcome, { ok: true, duplicate: false })
      t.equal(store.commitsRead, 0)
    }
  },
)

await t.test('a later delivery from the inbox is found, however late it is', async t => {
  const { a, b, log } = hosts()
  const answers = []
  for (let i = 1; i <= 6; i++) {
    answers.push(await a.host.ask(alice, 'split', [1, 2, 3], fromInbox(i)))
    for (let n = 0; n < 4; n++) await b.host.ask(alice, 'deposit', one)
  }
  const { length } = log.records
  for (const { host } of [a, b])
    for (let i = 6; i >= 1; i--)
      t.strictSame(await host.ask(alice, 'split', [1, 2, 3], fromInbox(i)), {
        ...answers[i - 1],
        duplicate: true,
      })
  t.equal(log.records.length, length)
})

await t.test(
  'a record that the inbox may have had before is searched for, at any position',
  async t => {
    const { a, b } = hosts()
    const first = await a.host.ask(alice, 'deposit', one, fromInbox(3))
    for (let n = 0; n < 4; n++) await a.host.ask(alice, 'deposit', one)
    const resent = { ...fromInbox(8, 0, false), commandId: 'c3' }
    t.strictSame(await b.host.ask(alice, 'deposit', one, resent), {
      ...first,
      duplicate: true,
    })
  },
)

await t.test(
  'a writer that does not carry the position on costs a search, and nothing else',
  async t => {
    const { a, b, log, raw } = hosts()
    const handled = [
      await a.host.ask(alice, 'deposit', one, fromInbox(1)),
      await a.host.ask(alice, 'deposit', one, fromInbox(7)),
    ]
    await raw.append(alice, [{ type: 'deposited', data: one }])
    // A delivery that was late, of a command that had stored nothing before.
    t.match(await b.host.ask(alice, 'deposit', one, fromInbox(5)), { duplicate: false })
    for (const { host } of [b, a])
      for (const [i, position] of [1, 7].entries())
        t.strictSame(await host.ask(alice, 'deposit', one, fromInbox(position)), {
          ...handled[i],
          duplicate: true,
        })
    t.equal(log.records.length, 4)
  },
)

await t.test('commands that are stored together carry the highest position', async t => {
  const { a, b } = hosts()
  await a.host.ask(alice, 'deposit', one)
  const gate = deferred<void>()
  a.store.before = operation => (operation === 'append' ? gate.promise : undefined)
  const asks = Array.from({ length: 8 }, (_, i) =>
    a.host.ask(alice, 'deposit', one, fromInbox(i + 1)),
  )
  gate.resolve()
  const outcomes = await Promise.all(asks)
  for (const [i, outcome] of outcomes.entries())
    t.strictSame(await b.host.ask(alice, 'deposit', one, fromInbox(i + 1)), {
      ...outcome,
      duplicate: true,
    })
  b.store.forget()
  t.match(await b.host.ask(alice, 'deposit', one, fromInbox(9)), { duplicate: false })
  t.equal(b.store.commitsRead, 0)
})

await t.test('a position in the inbox is carried on by a transaction', async t => {
  await using home = await startNode({
    namespace: 'inbox',
    store: memory(),
    actors: [account],
  })
  const ref = home.spawn(account, 'alice')
  const { position } = await ref.send('deposit', one)
  await until(async () => (await ref.state()).version === 1)
  await home.transact(async tx => tx.ask(account, 'alice', 'deposit', one))
  const { last } = await home.store.head(alice)
  t.match(last, { kind: 'commit', inboxPosition: position, transactionId: /./ })
})

await t.test('a command of an outbox is searched for only after its commit', async t => {
  const { a, b, log } = hosts()
  for (let i = 0; i < 3; i++) await a.host.ask(alice, 'deposit', one)
  const commitPosition = log.records.length
  const again = { commandId: 'kept', redelivery: { sentAfter: commitPosition } }
  const first = await a.host.ask(alice, 'deposit', one, again)
  // More than the window holds.
  for (let i = 0; i < 10; i++) await a.host.ask(alice, 'deposit', one)
  for (const { host } of [a, b])
    t.strictSame(await host.ask(alice, 'deposit', one, again), {
      ...first,
      duplicate: true,
    })
  t.equal(log.records.length, 14)
  b.store.commitsRead = 0
  const later = { commandId: 'another', redelivery: { sentAfter: 14 } }
  t.match(await b.host.ask(alice, 'deposit', one, later), { duplicate: false })
  t.ok(b.store.commitsRead <= 1, `${b.store.commitsRead} commits were read`)
})

await t.test('commands of successive outboxes cost no read', async t => {
  const { a, log } = hosts()
  await a.host.ask(alice, 'deposit', one)
  const before = a.store.commitsRead
  for (let i = 0; i < 20; i++) {
    const commitPosition = log.records.length
    await a.host.ask({ type: 'account', id: 'other' }, 'deposit', one)
    const options = { commandId: `c${i}`, redelivery: { sentAfter: commitPosition } }
    t.match(await a.host.ask(alice, 'deposit', one, options), { duplicate: false })
  }
  t.ok(a.store.commitsRead - before <= 1, `${a.store.commitsRead - before} were read`)
})

await t.test(
  'a command of an outbox takes effect once, whichever node reads it first',
  async t => {
    const { a, b, log } = hosts()
    const outcomes = []
    for (let i = 0; i < 40; i++) {
      const options = { commandId: `c${i % 20}`, redelivery: { sentAfter: 0 } }
      outcomes.push(
        ...(await Promise.all(
          [a, b].map(({ host }) => host.ask(alice, 'deposit', one, options)),
        )),
      )
    }
    t.equal(log.records.length, 20)
    t.equal(outcomes.filter(outcome => outcome.ok && !outcome.duplicate).length, 20)
  },
)

await t.test(
  'a backlog of commands costs one search, however long its history is',
  async t => {
    const { a, b } = hosts()
    for (let i = 0; i < 500; i++) await a.host.ask(alice, 'deposit', one)
    const ask = async (
      { host, store }: typeof a,
      commandId: string,
      sentAfter: number,
    ) => {
      store.forget()
      const options = { commandId, redelivery: { sentAfter } }
      const outcome = await host.ask(alice, 'deposit', one, options)
      t.equal(outcome.ok, true)
      return outcome.ok && outcome.duplicate
    }
    t.equal(await ask(b, 'c0', 100), false)
    t.equal(b.store.commitsRead, 401, 'back to the last commit before it was sent')
    for (let i = 1; i < 300; i++) {
      t.equal(await ask(b, `c${i}`, 100 + i), false)
      t.equal(b.store.commitsRead, 0, 'all commits since then are known')
    }
    t.equal(await ask(b, 'c3', 103), true)
    t.equal(await ask(b, 'before', 50), false)
    t.equal(b.store.commitsRead, 751, 'an earlier position is not covered')
    t.equal(await ask(b, 'before too', 50), false)
    t.equal(b.store.commitsRead, 0)
    t.equal(await ask(a, 'c7', 107), true, 'it is found by another host')
    t.equal(await ask(a, 'another', 107), false)
  },
)

await t.test('a window that holds too few commits does not replace a search', async t => {
  const { a, b } = hosts()
  for (let i = 0; i < 10; i++) {
    const again = { commandId: `c${i % 5}`, redelivery: { sentAfter: 0 } }
    const { host } = i % 2 === 0 ? a : b
    const outcome = await host.ask(alice, 'deposit', one, again)
    t.equal(outcome.ok && outcome.duplicate, i >= 5, `c${i % 5}`)
  }
})

await t.test('a command that is sent again by its caller acts once', async t => {
  const clock = new ManualClock(1_000_000)
  const actors = [account]
  await using home = await startNode({
    namespace: 'again',
    store: memory(),
    actors,
    clock,
  })
  const ref = home.spawn(account, 'alice')
  for (let i = 0; i < 3; i++) {
    await ref.send('deposit', one, { commandId: 'mine' })
    await until(() => home.stats().inbox.handled === i + 1)
    // Other commands follow, and the queue forgets the id.
    clock.advance(150_000)
    for (let n = 0; n < 5; n++) await ref.ask('deposit', one)
  }
  t.equal((await ref.state()).version, 16)
})
