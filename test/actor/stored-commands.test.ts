// Stored commands: each takes effect once, however long ago and however many commits before it was
// handled, and the search costs no more reads than necessary.

import t from 'tap'

import { deferred } from '../../src/model/wait.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { ManualClock } from '../../src/testing/manual-clock.js'
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
  return { log, a: make('a'), b: make('b') }
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
  'with the version after which it may have been handled, the window does not matter',
  async t => {
    const { log, a, b } = hosts()
    for (let i = 0; i < 3; i++) await a.host.ask(alice, 'deposit', one)
    const first = await a.host.ask(alice, 'deposit', one, {
      commandId: 'kept',
      notHandledAt: 3,
    })
    for (let i = 0; i < 10; i++) await a.host.ask(alice, 'deposit', one)
    for (const { host } of [a, b]) {
      const again = { commandId: 'kept', notHandledAt: 3 }
      t.strictSame(await host.ask(alice, 'deposit', one, again), {
        ...first,
        duplicate: true,
      })
    }
    t.equal(log.records.length, 14)
    t.match(
      await b.host.ask(alice, 'deposit', one, { commandId: 'kept', notHandledAt: 4 }),
      { duplicate: false, version: 15 },
      'what somebody knows wrongly is outside the promise',
    )
  },
)

await t.test(
  'the window counts as well: an id that was handled before that version',
  async t => {
    const { a } = hosts()
    const first = await a.host.ask(alice, 'deposit', one, { commandId: 'again' })
    t.strictSame(
      await a.host.ask(alice, 'deposit', one, { commandId: 'again', notHandledAt: 1 }),
      { ...first, duplicate: true },
    )
  },
)

await t.test('stored commands in sequence cost no read', async t => {
  const { a } = hosts()
  let notHandledAt = 0
  for (let i = 0; i < 20; i++) {
    if (i === 2) a.store.forget()
    const options = { commandId: `c${i}`, ...(i > 0 && { notHandledAt }) }
    const outcome = await a.host.ask(alice, 'deposit', one, options)
    t.match(outcome, { ok: true, duplicate: false })
    notHandledAt = outcome.version
  }
  t.equal(a.store.commitsRead, 0)
})

await t.test('many events neither cause a read nor hide a duplicate', async t => {
  const { a, log } = hosts()
  const split = async (commandId: string, notHandledAt: number) => {
    const data = [1, 2, 3, 4, 5]
    return a.host.ask(alice, 'split', data, { commandId, notHandledAt })
  }
  const answers = []
  let notHandledAt = 0
  for (let i = 0; i < 6; i++) {
    const outcome = await split(`c${i}`, notHandledAt)
    answers.push(outcome)
    notHandledAt = outcome.version
  }
  for (let i = 0; i < 6; i++)
    t.strictSame(await split(`c${i}`, i * 5), { ...answers[i], duplicate: true })
  t.equal(log.records.length, 6)
})

await t.test('a command of an outbox is searched for only after its commit', async t => {
  const { a, b, log } = hosts()
  for (let i = 0; i < 3; i++) await a.host.ask(alice, 'deposit', one)
  const commitPosition = log.records.length
  const first = await a.host.ask(alice, 'deposit', one, {
    commandId: 'kept',
    commitPosition,
  })
  // More than the window holds.
  for (let i = 0; i < 10; i++) await a.host.ask(alice, 'deposit', one)
  const again = { commandId: 'kept', commitPosition }
  for (const { host } of [a, b])
    t.strictSame(await host.ask(alice, 'deposit', one, again), {
      ...first,
      duplicate: true,
    })
  t.equal(log.records.length, 14)
  b.store.commitsRead = 0
  const later = { commandId: 'another', commitPosition: 14 }
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
    const options = { commandId: `c${i}`, commitPosition }
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
      const options = { commandId: `c${i % 20}`, commitPosition: 0 }
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
  'commands that were sent at about the same time cost one search',
  async t => {
    const clock = new ManualClock(1_000_000)
    const log = new MemoryLog()
    const make = (nodeId: string) => node({ on: log, nodeId, clock })
    const [a, b] = [make('a'), make('b')]
    for (let i = 0; i < 50; i++) await a.host.ask(alice, 'deposit', one)
    clock.advance(120_000)
    for (let i = 0; i < 5; i++) await a.host.ask(alice, 'deposit', one)
    const sentAt = clock.now()
    const ask = async ({ host, store }: typeof a, commandId: string, at = sentAt) => {
      store.forget()
      const outcome = await host.ask(alice, 'deposit', one, { commandId, sentAt: at })
      t.equal(outcome.ok, true)
      return outcome.ok && outcome.duplicate
    }
    t.equal(await ask(b, 'c0'), false)
    t.equal(b.store.commitsRead, 6, 'back to the first commit that is older')
    for (let i = 1; i < 10; i++) {
      clock.advance(1_000)
      t.equal(await ask(b, `c${i}`), false)
      t.equal(b.store.commitsRead, 0, 'all commits since then are known')
    }
    t.equal(await ask(b, 'c3'), true)
    t.equal(await ask(b, 'before', 1_000_000), false)
    t.equal(b.store.commitsRead, 65, 'an earlier time is not covered')
    t.equal(await ask(b, 'before too', 1_000_000), false)
    t.equal(b.store.commitsRead, 0)
    t.equal(await ask(a, 'c7'), true, 'it is found by another host')
    t.equal(await ask(a, 'another'), false)
  },
)

await t.test('a window that holds too few commits does not replace a search', async t => {
  const { a, b } = hosts()
  const sentAt = Date.now()
  for (let i = 0; i < 10; i++) {
    const again = { commandId: `c${i % 5}`, sentAt }
    const { host } = i % 2 === 0 ? a : b
    const outcome = await host.ask(alice, 'deposit', one, again)
    t.equal(outcome.ok && outcome.duplicate, i >= 5, `c${i % 5}`)
  }
})
