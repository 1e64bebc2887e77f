// Commands that somebody has kept: they act once, however long ago and behind however many
// commits they were carried out before, and finding that out costs no more than it must.

import t from 'tap'

import { deferred } from '../../src/model/wait.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
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
  'who lost an append to more than a window of commits is told so',
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
    t.equal(log.records.length, 12, 'it is there once')
  },
)

await t.test(
  'with the version behind which it may be, the window does not matter',
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

await t.test('the window counts besides: an id that was carried out before', async t => {
  const { a } = hosts()
  const first = await a.host.ask(alice, 'deposit', one, { commandId: 'again' })
  t.strictSame(
    await a.host.ask(alice, 'deposit', one, { commandId: 'again', notHandledAt: 1 }),
    { ...first, duplicate: true },
  )
})

await t.test('one behind the other they cost no reading', async t => {
  const { a } = hosts()
  let since = 0
  for (let i = 0; i < 20; i++) {
    if (i === 2) a.store.forget()
    const options = { commandId: `c${i}`, ...(i > 0 && { notHandledAt: since }) }
    const outcome = await a.host.ask(alice, 'deposit', one, options)
    t.match(outcome, { ok: true, duplicate: false })
    since = outcome.version
  }
  t.equal(a.store.commitsRead, 0)
})

await t.test('events by the dozen do not make it read, nor forget', async t => {
  const { a, log } = hosts()
  const split = async (commandId: string, since: number) => {
    const data = [1, 2, 3, 4, 5]
    return a.host.ask(alice, 'split', data, { commandId, notHandledAt: since })
  }
  const answers = []
  let since = 0
  for (let i = 0; i < 6; i++) {
    const outcome = await split(`c${i}`, since)
    answers.push(outcome)
    since = outcome.version
  }
  for (let i = 0; i < 6; i++)
    t.strictSame(await split(`c${i}`, i * 5), { ...answers[i], duplicate: true })
  t.equal(log.records.length, 6)
})

await t.test('what a commit says is looked for behind that commit alone', async t => {
  const { a, b, log } = hosts()
  for (let i = 0; i < 3; i++) await a.host.ask(alice, 'deposit', one)
  const saidAt = log.records.length
  const first = await a.host.ask(alice, 'deposit', one, {
    commandId: 'kept',
    commitPosition: saidAt,
  })
  // More than the window holds.
  for (let i = 0; i < 10; i++) await a.host.ask(alice, 'deposit', one)
  const again = { commandId: 'kept', commitPosition: saidAt }
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

await t.test('what commits say one after another costs no reading', async t => {
  const { a, log } = hosts()
  await a.host.ask(alice, 'deposit', one)
  const before = a.store.commitsRead
  for (let i = 0; i < 20; i++) {
    const saidAt = log.records.length
    await a.host.ask({ type: 'account', id: 'other' }, 'deposit', one)
    const options = { commandId: `c${i}`, commitPosition: saidAt }
    t.match(await a.host.ask(alice, 'deposit', one, options), { duplicate: false })
  }
  t.ok(a.store.commitsRead - before <= 1, `${a.store.commitsRead - before} were read`)
})

await t.test('what a commit says acts once, whichever node finds it first', async t => {
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
})
