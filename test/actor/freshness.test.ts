// The freshness of a state: from memory, confirmed by a read, or at least at a version.

import t, { type Test } from 'tap'

import { actorRef } from '../../src/actor/ref.js'
import type { StateOptions } from '../../src/actor/definition.js'
import { sufficientVersion } from '../../src/model/freshness.js'
import { memory, startNode } from '../../src/index.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'
import { account, alice, barrier, deposits, node, noKeeper, write } from './support.js'

/** The two ways to read a state, with the same promises: the host, and a reference. */
const ways = ['host', 'reference'] as const

function open(way: (typeof ways)[number]) {
  const log = new MemoryLog()
  const { host, store } = node({ on: log })
  const ref = actorRef(account, 'alice', {
    sender: host,
    durableSender: noKeeper,
    store,
    local: host,
  })
  const state = (options?: StateOptions) =>
    way === 'host' ? host.state(alice, options) : ref.state(options)
  return { log, host, store, state }
}

for (const way of ways) {
  const test = (title: string, body: (t: Test, at: ReturnType<typeof open>) => unknown) =>
    void t.test(`${way}: ${title}`, t => Promise.resolve(body(t, open(way))))

  test('latest is confirmed by a read that began after the call', async (t, at) => {
    await at.host.ask(alice, 'deposit', { amount: 1 })
    await write(at.log, alice, deposits(1))
    at.store.forget()
    t.strictSame(await at.state(), {
      state: { balance: 2 },
      version: 2,
      position: 2,
      exists: true,
    })
    t.equal(at.store.calls.head, 1)
    await at.state({ freshness: 'latest' })
    t.equal(at.store.calls.head, 2, 'each time')
  })

  test('local is the state in memory, however old, without a read', async (t, at) => {
    await at.host.ask(alice, 'deposit', { amount: 1 })
    await write(at.log, alice, deposits(1))
    at.host.onCommit({ actor: alice, version: 2, position: 2 })
    at.host.markUnverified()
    at.store.forget()
    for (let i = 0; i < 3; i++)
      t.strictSame(await at.state({ freshness: 'local' }), {
        state: { balance: 1 },
        version: 1,
        position: 1,
        exists: true,
      })
    t.strictSame(at.store.calls, { head: 0, commits: 0, append: 0 })
    t.match(await at.state(), { version: 2 })
  })

  test('local is one read if nothing is in memory', async (t, at) => {
    await write(at.log, alice, deposits(1))
    t.match(await at.state({ freshness: 'local' }), { version: 1 })
    t.equal(at.store.calls.head, 1)
  })

  test('after a version in memory needs no read', async (t, at) => {
    for (let i = 0; i < 3; i++) await at.host.ask(alice, 'deposit', { amount: 1 })
    at.store.forget()
    for (const after of [0, 1, 3])
      t.match(await at.state({ freshness: { after } }), { version: 3 })
    t.strictSame(at.store.calls, { head: 0, commits: 0, append: 0 })
  })

  test('after a version that is not in memory is one read', async (t, at) => {
    await at.host.ask(alice, 'deposit', { amount: 1 })
    await write(at.log, alice, deposits(2))
    at.store.forget()
    t.match(await at.state({ freshness: { after: 3 } }), { version: 3 })
    t.equal(at.store.calls.head, 1)
  })

  test('after a version that is not stored yet waits for its notice', async (t, at) => {
    await at.host.ask(alice, 'deposit', { amount: 1 })
    at.store.forget()
    const reading = at.state({ freshness: { after: 3 }, timeout: 60_000 })
    await until(() => at.store.calls.head > 0, { describe: 'it has looked' })
    await write(at.log, alice, deposits(1))
    at.host.onCommit({ actor: alice, version: 2, position: 2 })
    await write(at.log, alice, deposits(1))
    at.host.onCommit({ actor: alice, version: 3, position: 3 })
    t.strictSame(await reading, {
      state: { balance: 3 },
      version: 3,
      position: 3,
      exists: true,
    })
  })

  test('a version whose notice is lost is found anyway', async (t, at) => {
    const reading = at.state({ freshness: { after: 1 }, timeout: 60_000 })
    await until(() => at.store.calls.head > 0, { describe: 'it has looked' })
    await write(at.log, alice, deposits(1))
    t.match(await reading, { version: 1 })
  })

  test('a version that is not reached is an error that names both versions', async (t, at) => {
    await at.host.ask(alice, 'deposit', { amount: 1 })
    await t.rejects(at.state({ freshness: { after: 5 }, timeout: 30 }), {
      code: 'deadline-exceeded',
      retryable: true,
      message: /Version 5 of account\/alice was not reached.* at version 1/,
      details: { actor: 'account/alice', wanted: 5, found: 1, timeout: 30 },
    })
    const held = barrier()
    at.store.before = () => held.wait()
    at.host.dismiss(() => false)
    await t.rejects(at.state({ freshness: { after: 5 }, timeout: 30 }), {
      code: 'deadline-exceeded',
    })
    held.letGo()
  })

  test('a reader that waits can be aborted', async (t, at) => {
    const cancel = new AbortController()
    const options = { freshness: { after: 1 }, signal: cancel.signal, timeout: 60_000 }
    const reading = at.state(options)
    await until(() => at.store.calls.head > 0, { describe: 'it has looked' })
    cancel.abort()
    await t.rejects(reading, { code: 'aborted' })
    await t.rejects(at.state({ ...options, freshness: 'local' }), { code: 'aborted' })
  })

  test('a reader that waits delays no command', async (t, at) => {
    const readings = Array.from({ length: 20 }, () =>
      at.state({ freshness: { after: 2 }, timeout: 60_000 }),
    )
    await at.host.ask(alice, 'deposit', { amount: 1 })
    await at.host.ask(alice, 'deposit', { amount: 1 })
    for (const { version } of await Promise.all(readings)) t.equal(version, 2)
  })

  test('an invalid freshness is refused', async (t, at) => {
    for (const wrong of ['newest', 3, null, {}, { after: -1 }, { after: '3' }])
      await t.rejects(at.state({ freshness: wrong as never }), {
        code: 'invalid-option',
        message: /latest.*local.*after/,
      })
    await t.rejects(at.state({ freshness: { after: 1 }, timeout: 0 }), {
      code: 'invalid-option',
    })
  })
}

void t.test('local waits for its turn while an append is under way', async t => {
  const { host, store } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  const held = barrier()
  store.before = operation => (operation === 'append' ? held.wait() : undefined)
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await held.reached
  const reading = host.state(alice, { freshness: 'local' })
  held.letGo()
  t.match(await reading, { version: 2, state: { balance: 2 } })
  await asked
})

void t.test('as many readers wait as commands may be open', async t => {
  const { host, store } = node({ commandsMax: 2 })
  const bounds = { freshness: { after: 9 }, timeout: 60_000 }
  const waiting = [host.state(alice, bounds), host.state(alice, bounds)]
  for (const reading of waiting) reading.catch(() => {})
  await until(() => store.calls.head > 0, { describe: 'they have looked' })
  await t.rejects(host.state(alice, bounds), { code: 'queue-full', message: /2 readers/ })
  await host.close()
  for (const reading of waiting)
    await t.rejects(reading, { code: 'node-closed' }, 'and end with the host')
})

void t.test('the version that needs no read for each freshness', async t => {
  t.equal(sufficientVersion('latest'), undefined)
  t.equal(sufficientVersion('local'), 0)
  t.equal(sufficientVersion({ after: 7 }), 7)
})

void t.test('a node reads what another acknowledged, by its version', async t => {
  const store = memory()
  const options = { namespace: 'ns', store, actors: [account] }
  await using one = await startNode({ ...options, id: 'one' })
  await using two = await startNode({ ...options, id: 'two' })
  for (let i = 0; i < 20; i++) {
    const { version } = await one.ask(alice, 'deposit', { amount: 1 })
    const fresh = { freshness: { after: version } }
    t.match(await two.spawn(account, 'alice').state(fresh), { version })
    t.match(await two.state(alice, fresh), { version })
  }
  await t.rejects(two.state(alice, { version: 1, freshness: 'local' }), {
    code: 'invalid-option',
  })
  t.match(await two.state(alice, { version: 3 }), { state: { balance: 3 } })
})
