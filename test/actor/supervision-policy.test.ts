// Supervision policies: a failed actor is parked, restarted or escalated.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import type { Escalation } from '../../src/actor/actor-host.js'
import {
  delayAfter,
  policyOf,
  type SupervisionOptions,
} from '../../src/actor/supervision-policy.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { ManualClock } from '../../src/testing/manual-clock.js'
import { until } from '../support/wait.js'
import { alice, deposits, node, pushCommit, write } from './support.js'

/** An account whose folding fails while `broken.is` is set. */
function fragile(supervision?: SupervisionOptions) {
  const broken = { is: false, folds: 0 }
  const account = defineActor({
    type: 'account',
    initialState: { balance: 0 },
    stateBytesMax: 0,
    ...(supervision !== undefined && { supervision }),
    decide: {
      deposit: (_state, { amount }: { amount: number }) => ({
        events: event('deposited', { amount }),
        reply: after => after.balance,
      }),
    },
    evolve: {
      deposited(state, { amount }: { amount: number }) {
        broken.folds++
        if (broken.is) throw new Error('the abacus is jammed')
        return { balance: state.balance + amount }
      },
    },
  })
  return { account, broken }
}

const restart = (backoff: SupervisionOptions['backoff'] = {}) =>
  ({ onFailure: 'restart', backoff }) as const

void t.test('invalid options are errors', async t => {
  const wrong = [
    { onFailure: 'explode' },
    { onFailure: 'park', backoff: {} },
    { backoff: { first: 5 } },
    { onFailure: 'restart', backoff: { first: 0 } },
    { onFailure: 'restart', backoff: { first: 1.5 } },
    { onFailure: 'restart', backoff: { first: 2 ** 31 } },
    { onFailure: 'restart', backoff: { first: 50, max: 49 } },
    { onFailure: 'restart', backoff: { factor: 0.9 } },
    { onFailure: 'restart', backoff: { factor: NaN } },
    { onFailure: 'restart', backoff: { times: 0 } },
    { onFailure: 'restart', backoff: { tries: 3 } },
    { onFailure: 'restart', backoff: null },
    { onfailure: 'restart' },
    'restart',
  ]
  for (const supervision of wrong)
    t.throws(
      () => fragile(supervision as never),
      { code: 'invalid-definition', message: /supervision/ },
      JSON.stringify(supervision),
    )
})

void t.test('delays grow up to a maximum, for a limited number of restarts', async t => {
  const policy = policyOf(restart({ first: 10, factor: 3, max: 100, times: 4 }))
  t.strictSame(
    [1, 2, 3, 4, 5].map(failures => delayAfter(policy, failures)),
    [10, 30, 90, 100, undefined],
  )
  t.equal(delayAfter(policyOf({ onFailure: 'park' }), 1), undefined)
  t.equal(policyOf(restart({ first: 60_000 })).max, 60_000)
})

void t.test('types that begin with cairn- are an error', async t => {
  const spec = { initialState: 0, decide: {}, evolve: {} }
  t.throws(() => defineActor({ type: 'cairn-mine', ...spec }), {
    code: 'invalid-definition',
    message: /"cairn-mine" is reserved/,
  })
  const { account } = fragile()
  t.throws(() => node({ actors: [{ ...account, type: 'cairn-mine' }] }), {
    code: 'invalid-definition',
  })
  t.equal(defineActor({ type: 'cairns', ...spec }).type, 'cairns')
})

void t.test('a failed actor is read again after a growing delay', async t => {
  const clock = new ManualClock(1_000)
  const { account, broken } = fragile(restart({ first: 100, factor: 10, times: 3 }))
  const log = new MemoryLog()
  await write(log, alice, deposits(1))
  const { host, store, lines } = node({ on: log, actors: [account], clock })
  broken.is = true
  const asked = host.ask(alice, 'deposit', { amount: 2 })
  await until(() => host.stats().restarting === 1, { describe: 'the first failure' })
  const later = host.ask(alice, 'deposit', { amount: 3 })
  t.equal(store.calls.head, 1)
  clock.advance(99)
  await new Promise(resolve => setImmediate(resolve))
  t.equal(store.calls.head, 1, 'not before its time')
  clock.advance(1)
  await until(() => store.calls.head === 2 && host.stats().restarting === 1, {
    describe: 'the second failure',
  })
  await t.rejects(
    host.state(alice),
    {
      code: 'actor-restarting',
      retryable: true,
      message: /account\/alice .* after 1000 ms.*abacus is jammed/,
      details: { version: 1, delay: 1_000 },
    },
    'a reading does not wait',
  )
  broken.is = false
  clock.advance(1_000)
  t.match(await asked, { ok: true, version: 2, reply: 3 })
  t.match(await later, { ok: true, version: 3, reply: 6 }, 'it had waited')
  t.strictSame(
    lines.map(({ level }) => level),
    ['warn', 'warn'],
  )
  t.match(host.stats(), { restarting: 0, parked: 0 })

  // Success resets the count: the next delay is the first again.
  broken.is = true
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), {
    code: 'actor-restarting',
    details: { delay: 100 },
  })
})

void t.test('after too many restarts in a row the actor is parked', async t => {
  const clock = new ManualClock()
  const { account, broken } = fragile(restart({ first: 10, factor: 1, times: 2 }))
  const log = new MemoryLog()
  await write(log, alice, deposits(1))
  broken.is = true
  const { host, store, lines } = node({ on: log, actors: [account], clock })
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  for (const reads of [1, 2]) {
    await until(() => store.calls.head === reads && host.stats().restarting === 1)
    clock.advance(10)
  }
  await t.rejects(asked, { code: 'actor-parked', message: /abacus is jammed/ })
  t.equal(broken.folds, 3, 'read once, and twice again')
  t.match(host.stats(), { restarting: 0, parked: 1 })
  t.strictSame(
    lines.map(({ level }) => level),
    ['warn', 'warn', 'error'],
  )
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-parked' })
  t.equal(store.calls.head, 3, 'and is not read for it')
})

void t.test('commands wait for a restart until their deadline', async t => {
  const clock = new ManualClock()
  const { account, broken } = fragile(restart())
  const log = new MemoryLog()
  await write(log, alice, deposits(1))
  broken.is = true
  const { host, store } = node({ on: log, actors: [account], clock })
  const first = host.ask(alice, 'deposit', { amount: 1 }, { timeout: 300 })
  const second = host.ask(alice, 'deposit', { amount: 1 }, { timeout: 1 })
  const cancelled = new AbortController()
  const third = host.ask(alice, 'deposit', { amount: 1 }, { signal: cancelled.signal })
  await t.rejects(second, { code: 'deadline-exceeded' })
  await t.rejects(first, { code: 'deadline-exceeded' })
  cancelled.abort()
  await t.rejects(third, { code: 'aborted' })
  t.equal(store.calls.append, 0)
  t.equal(store.calls.head, 1, 'whose turn it became waits out the same delay')
  broken.is = false
  const fourth = host.ask(alice, 'deposit', { amount: 1 })
  clock.advance(100)
  t.match(await fourth, { version: 2 })
})

void t.test('a notice of the actor ends the delay', async t => {
  const clock = new ManualClock()
  const { account, broken } = fragile(restart())
  const log = new MemoryLog()
  await write(log, alice, deposits(1))
  broken.is = true
  const { host } = node({ on: log, actors: [account], clock })
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await until(() => host.stats().restarting === 1)
  broken.is = false
  await write(log, alice, deposits(1))
  host.onCommit({ actor: alice, version: 2, position: 2 })
  t.match(await asked, { version: 3 })
})

void t.test('a node that closes does not wait for a restart', async t => {
  const { account, broken } = fragile(restart())
  const log = new MemoryLog()
  await write(log, alice, deposits(1))
  broken.is = true
  const { host } = node({ on: log, actors: [account], clock: new ManualClock() })
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  asked.catch(() => {})
  await until(() => host.stats().restarting === 1)
  await host.close({ timeout: 1 })
  await t.rejects(asked, { code: 'node-closed' })
})

void t.test('an unreadable record is a failure like any other', async t => {
  const clock = new ManualClock()
  const { account } = fragile(restart({ times: 1 }))
  const log = new MemoryLog()
  pushCommit(log, { actor: alice, firstVersion: 1 }, false)
  const { host } = node({ on: log, actors: [account], clock })
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await until(() => host.stats().restarting === 1)
  clock.advance(100)
  await t.rejects(asked, {
    code: 'actor-parked',
    details: { version: 1, through: 1, position: 1 },
  })
})

void t.test(
  'an escalated failure is reported to the node once, and the actor is parked',
  async t => {
    const { account, broken } = fragile({ onFailure: 'escalate' })
    const log = new MemoryLog()
    await write(log, alice, deposits(1))
    broken.is = true
    const escalations: Escalation[] = []
    const { host, lines } = node({
      on: log,
      actors: [account],
      onEscalation(escalation) {
        escalations.push(escalation)
        throw new Error('nobody is in')
      },
    })
    for (let i = 0; i < 3; i++)
      await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-parked' })
    t.match(escalations, [{ actor: alice, error: { code: 'actor-parked' } }])
    t.match(
      lines.map(({ message }) => message),
      [/abacus is jammed/, 'onEscalation failed: nobody is in'],
    )
  },
)

void t.test(
  'after decide has thrown, the next command is decided on the newest state',
  async t => {
    const log = new MemoryLog()
    const reckless = defineActor({
      type: 'account',
      initialState: { balance: 0 },
      decide: {
        deposit: (_state, { amount }: { amount: number }) =>
          event('deposited', { amount }),
        spill() {
          throw new Error('oops')
        },
        misquote: () => ({
          reply() {
            throw new Error('oops')
          },
        }),
        balance: state => ({ reply: state.balance }),
      },
      evolve: {
        deposited: (state, { amount }: { amount: number }) => ({
          balance: state.balance + amount,
        }),
      },
    })
    const { host, store } = node({ on: log, actors: [reckless] })
    await host.ask(alice, 'deposit', { amount: 5 })
    for (const command of ['spill', 'misquote']) {
      // Twice, with another writer's commit between: the second is decided on the new state.
      for (const version of [1, 2]) {
        await t.rejects(host.ask(alice, command, undefined), { code: 'decide-failed' })
        const balance = await host.ask(alice, 'balance', undefined)
        t.match(balance, { reply: 5 }, `${command} ${version}`)
      }
    }
    store.forget()
    await t.rejects(host.ask(alice, 'nothing', undefined), { code: 'unknown-command' })
    t.equal(store.calls.commits, 0)
    await write(log, alice, deposits(1, 2))
    await t.rejects(host.ask(alice, 'spill', undefined), { code: 'decide-failed' })
    t.match(await host.ask(alice, 'balance', undefined), { reply: 7, version: 2 })
  },
)
