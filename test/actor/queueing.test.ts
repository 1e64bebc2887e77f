// Waiting calls: mailboxes, deadlines, signals, and closing a host.

import t from 'tap'

import { CairnError } from '../../src/model/errors.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'
import { account, alice, barrier, node, type ObservedStore } from './support.js'

/** Holds the first call of an operation until it is released; the others pass. */
function hold(store: ObservedStore, operation: string) {
  const held = barrier()
  let isFirst = true
  store.before = async called => {
    if (called !== operation || !isFirst) return
    isFirst = false
    await held.wait()
  }
  return held
}

void t.test('commands are handled one at a time, in the order of arrival', async t => {
  const { host } = node()
  const asks = Array.from({ length: 50 }, (_, i) =>
    host.ask(alice, 'deposit', { amount: i }),
  )
  const versions = (await Promise.all(asks)).map(({ version }) => version)
  t.strictSame(
    versions,
    asks.map((_, i) => i + 1),
  )
})

void t.test(
  'a full mailbox refuses with its name, and accepts more when there is room',
  async t => {
    const small = { ...account, options: { ...account.options, mailboxLimit: 2 } }
    const { host, store } = node({ actors: [small] })
    const held = hold(store, 'append')
    const running = host.ask(alice, 'deposit', { amount: 1 })
    await held.reached
    const cancel = new AbortController()
    const waiting = [
      host.ask(alice, 'deposit', { amount: 2 }),
      host.ask(alice, 'deposit', { amount: 3 }, { signal: cancel.signal }),
    ]
    const full = {
      code: 'mailbox-full',
      retryable: true,
      message: /mailbox of account\/alice is full: 2 commands wait/,
      details: { actor: 'account/alice', limit: 2 },
    }
    await t.rejects(host.ask(alice, 'deposit', { amount: 4 }), full)
    await t.rejects(host.tell(alice, 'deposit', { amount: 4 }), full)
    await t.rejects(host.state(alice), full)
    t.match(
      await host.ask({ ...alice, id: 'bob' }, 'deposit', { amount: 1 }),
      { ok: true },
      'other actors are not concerned',
    )
    cancel.abort()
    await t.rejects(waiting[1]!, { code: 'aborted' })
    const late = host.ask(alice, 'deposit', { amount: 5 })
    held.letGo()
    t.match(await running, { reply: 1 })
    t.match(await waiting[0], { reply: 3 })
    t.match(await late, { reply: 8 })
    t.match(host.stats(), { open: 0, busy: 0 })
  },
)

void t.test('a command whose signal fires while it waits is never handled', async t => {
  const { host, store } = node()
  const held = hold(store, 'append')
  const running = host.ask(alice, 'deposit', { amount: 1 })
  await held.reached
  const cancel = new AbortController()
  const { signal } = cancel
  const waiting = host.ask(alice, 'deposit', { amount: 10 }, { signal })
  cancel.abort(new Error('changed my mind'))
  await t.rejects(waiting, {
    code: 'aborted',
    message: /command "deposit" to account\/alice/,
    cause: { message: 'changed my mind' },
  })
  held.letGo()
  await running
  t.match(await host.ask(alice, 'balance', undefined), { version: 1, reply: 1 })
})

void t.test(
  'a command whose deadline passes while it waits is never handled',
  async t => {
    const { host, store } = node()
    const held = hold(store, 'append')
    const running = host.ask(alice, 'deposit', { amount: 1 })
    await held.reached
    await t.rejects(host.ask(alice, 'deposit', { amount: 10 }, { timeout: 5 }), {
      code: 'deadline-exceeded',
      retryable: true,
      message:
        /"deposit" to account\/alice was not finished within 5 ms; nothing was stored/,
    })
    await t.rejects(host.state(alice, { timeout: 5 }), { code: 'deadline-exceeded' })
    held.letGo()
    await running
    t.match(await host.ask(alice, 'balance', undefined), { version: 1, reply: 1 })
  },
)

void t.test('a command given up while its actor wakes stores nothing', async t => {
  const { host, store, log } = node()
  const held = hold(store, 'head')
  const call = host.ask(alice, 'deposit', { amount: 10 }, { timeout: 5 })
  await t.rejects(call, { code: 'deadline-exceeded' })
  held.letGo()
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 1, reply: 1 })
  t.equal(log.records.length, 1)
})

void t.test(
  'a command given up during its append gets the answer of the store',
  async t => {
    const { host, store, log } = node()
    const cancel = new AbortController()
    const held = hold(store, 'append')
    const call = host.ask(alice, 'deposit', { amount: 1 }, { signal: cancel.signal })
    await held.reached
    cancel.abort()
    held.letGo()
    // This store had not begun to write, and reports that.
    await t.rejects(call, { code: 'aborted' })
    t.equal(log.records.length, 0)

    const answer = barrier()
    store.after = () => answer.wait()
    const again = new AbortController()
    const stored = host.ask(alice, 'deposit', { amount: 1 }, { signal: again.signal })
    await answer.reached
    again.abort()
    answer.letGo()
    t.match(
      await stored,
      { ok: true, version: 1 },
      'what is stored is not called given up',
    )

    store.after = () => {
      throw new CairnError('outcome-unknown', 'The answer got lost.')
    }
    const unclear = host.ask(alice, 'deposit', { amount: 1 }, { timeout: 1000 })
    await t.rejects(unclear, { code: 'outcome-unknown' })
  },
)

void t.test('the time left bounds the append', async t => {
  const { host, store } = node()
  const bounds: (number | undefined)[] = []
  const append = store.append.bind(store)
  store.append = (actor, events, options) => {
    bounds.push(options?.timeout)
    t.equal(options?.signal?.aborted, false)
    return append(actor, events, options)
  }
  await host.ask(alice, 'deposit', { amount: 1 }, { timeout: 5000 })
  await host.ask(alice, 'deposit', { amount: 1 })
  t.ok(bounds[0]! > 0 && bounds[0]! <= 5000)
  t.ok(bounds[1]! > 5000 && bounds[1]! <= 10_000)
})

void t.test('a node accepts a bounded number of commands', async t => {
  const { host, store } = node({ commandsMax: 3 })
  const held = barrier()
  store.before = operation => (operation === 'append' ? held.wait() : undefined)
  const asks = ['x', 'y', 'z'].map(id =>
    host.ask({ type: 'account', id }, 'deposit', { amount: 1 }),
  )
  const full = { code: 'queue-full', retryable: true, details: { limit: 3 } }
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), full)
  t.equal(host.stats().open, 3)
  held.letGo()
  await Promise.all(asks)
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { ok: true })
})

void t.test(
  'a command of tell is accepted first, and reported when it fails',
  async t => {
    const dead: unknown[] = []
    const { host, store } = node({
      onDeadCommand: (error, info) => void dead.push({ error, info }),
    })
    const held = hold(store, 'append')
    await host.tell(alice, 'deposit', { amount: 1 })
    await held.reached
    await host.tell(alice, 'explode', undefined, { commandId: 'bang' })
    await host.tell(alice, 'withdraw', { amount: 100 })
    held.letGo()
    t.match(await host.ask(alice, 'balance', undefined), { reply: 1 })
    t.match(dead, [
      {
        error: { code: 'decide-failed' },
        info: { actor: alice, commandType: 'explode', commandId: 'bang' },
      },
    ])
    t.equal(dead.length, 1, 'a refusal is not a failure')
    t.match(host.stats(), { tells: 3, deadCommands: 1, asks: 1 })
  },
)

void t.test(
  'a failed command of tell is logged, and so is a hook that throws',
  async t => {
    const quiet = node()
    await quiet.host.tell(alice, 'explode', undefined, { commandId: 'bang' })
    await until(() => quiet.lines.length > 0)
    t.match(quiet.lines, [
      {
        level: 'error',
        message: /A command sent by tell failed: .*the fuse was lit/,
        details: { actor: 'account/alice', commandType: 'explode', commandId: 'bang' },
      },
    ])
    const broken = node({
      onDeadCommand: () => {
        throw new Error('broken hook')
      },
    })
    await broken.host.tell(alice, 'explode', undefined)
    await until(() => broken.lines.length > 0)
    t.match(broken.lines, [{ message: 'onDeadCommand failed: broken hook' }])
  },
)

void t.test('closing finishes what was accepted and refuses the rest', async t => {
  const { host, store } = node()
  const held = hold(store, 'append')
  const asks = [1, 2, 3].map(amount => host.ask(alice, 'deposit', { amount }))
  await host.tell(alice, 'deposit', { amount: 4 })
  await held.reached
  const closing = host.close()
  const closed = { code: 'node-closed' }
  await t.rejects(host.ask(alice, 'deposit', { amount: 9 }), closed)
  await t.rejects(host.tell(alice, 'deposit', { amount: 9 }), closed)
  await t.rejects(host.state(alice), closed)
  await t.rejects(host.stateAt(alice, 1), closed)
  held.letGo()
  await closing
  t.strictSame(
    (await Promise.all(asks)).map(({ version }) => version),
    [1, 2, 3],
  )
  t.equal((await store.head(alice)).version, 4)
  t.match(host.stats(), { residents: 0, open: 0 })
  await host.close()
})

void t.test(
  'closing answers what is not finished in time, and begins nothing after',
  async t => {
    const log = new MemoryLog()
    const { host, store } = node({ on: log })
    const heads = barrier()
    const appends = barrier()
    store.before = operation => {
      if (operation === 'append') return appends.wait()
      return operation === 'head' && store.calls.head > 1 ? heads.wait() : undefined
    }
    const storing = host.ask(alice, 'deposit', { amount: 1 })
    await appends.reached
    const waiting = host.ask(alice, 'deposit', { amount: 2 })
    const waking = host.ask({ ...alice, id: 'bob' }, 'deposit', { amount: 3 })
    await heads.reached
    await host.close({ timeout: 5 })
    await t.rejects(waiting, { code: 'node-closed' })
    await t.rejects(waking, { code: 'node-closed' })
    heads.letGo()
    appends.letGo()
    // The store had been told to stop before it wrote.
    await t.rejects(storing, { code: 'node-closed' })
    await until(() => host.stats().open === 0)
    t.equal(log.records.length, 0)
  },
)

void t.test('an idle host closes at once', async t => {
  const { host } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  await host.close({ timeout: 2 ** 31 - 1 })
  await t.rejects(host.ask(alice, 'balance', undefined), { code: 'node-closed' })
})
