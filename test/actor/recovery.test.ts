// Waking: states from complete and damaged histories.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { heldCommitsMax, recoverAt } from '../../src/actor/recovery.js'
import type { NewEvent } from '../../src/model/event.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import {
  account,
  alice,
  deposits,
  node,
  observe,
  pushCommit,
  pushForeign,
  write,
} from './support.js'

/** The same account, as another version of its behavior. */
function accountOfVersion(version: number) {
  return { ...account, behavior: { ...account.behavior, version } }
}

const deposit = (amount: number): NewEvent => ({ type: 'deposited', data: { amount } })

void t.test('waking is one read when the last commit has the inline state', async t => {
  const log = new MemoryLog()
  const first = node({ on: log })
  for (let i = 0; i < 300; i++) await first.host.ask(alice, 'deposit', { amount: 1 })
  const { host, store } = node({ on: log })
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 301, reply: 301 })
  t.strictSame(store.calls, { head: 1, commits: 0, append: 1 })
  store.forget()
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 302 })
  t.strictSame(store.calls, { head: 0, commits: 0, append: 1 }, 'awake: no read at all')
})

void t.test('an actor without a history wakes by one read', async t => {
  const { host, store } = node()
  t.strictSame(await host.state(alice), {
    state: { balance: 0 },
    version: 0,
    position: 0,
    exists: false,
  })
  t.strictSame(store.calls, { head: 1, commits: 0, append: 0 })
})

void t.test('a history without inline states is folded', async t => {
  const { host, store, log } = node()
  await write(log, alice, [[deposit(1), deposit(2)], [deposit(3)], [deposit(4)]])
  t.strictSame(await host.state(alice), {
    state: { balance: 10 },
    version: 4,
    position: 3,
    exists: true,
  })
  t.strictSame(store.calls, { head: 1, commits: 1, append: 0 })
})

void t.test('a history is folded from the nearest inline state', async t => {
  const { host, store, log } = node()
  await write(log, alice, deposits(50))
  await node({ on: log }).host.ask(alice, 'deposit', { amount: 100 })
  await write(log, alice, deposits(3))
  t.match(await host.state(alice), {
    state: { balance: 153 },
    version: 54,
    exists: true,
  })
  t.equal(store.commitsRead, 4, 'three commits, and the one with the inline state')
})

void t.test('a long history without inline states is folded forward', async t => {
  for (const commits of [heldCommitsMax, heldCommitsMax + 1, 3 * heldCommitsMax]) {
    const { host, store, log } = node()
    await write(log, alice, deposits(commits))
    t.match(await host.state(alice), {
      state: { balance: commits },
      version: commits,
      exists: true,
    })
    t.equal(store.calls.commits, commits > heldCommitsMax ? 2 : 1, `${commits} commits`)
    t.ok(
      store.commitsRead <= commits + 1,
      'of which none is read twice, but where both ways meet',
    )
    // From then on the commits have an inline state.
    await host.ask(alice, 'deposit', { amount: 1 })
    const again = node({ on: log })
    await again.host.state(alice)
    t.strictSame(again.store.calls, { head: 1, commits: 0, append: 0 })
  }
})

void t.test('a state of another behavior version is not used', async t => {
  const log = new MemoryLog()
  const before = node({ on: log })
  for (let i = 0; i < 5; i++) await before.host.ask(alice, 'deposit', { amount: 1 })
  pushCommit(log, {
    actor: alice,
    firstVersion: 6,
    state: { behavior: 1, value: { balance: -1000 } },
  })
  for (const version of [2, 3]) {
    const after = node({ on: log, actors: [accountOfVersion(version)] })
    t.match(await after.host.ask(alice, 'balance', undefined), { version: 6, reply: 6 })
    t.equal(after.store.commitsRead, 6)
  }
  const same = node({ on: log })
  t.match(
    await same.host.ask(alice, 'balance', undefined),
    { reply: -1000 },
    'its own is',
  )
})

void t.test(
  'records that are not part of the history are reported and ignored',
  async t => {
    const { host, log, lines } = node()
    pushForeign(log, alice)
    t.match(await host.ask(alice, 'balance', undefined), { version: 0, reply: 0 })
    await write(log, alice, deposits(2))
    pushForeign(log, alice)
    await write(log, alice, deposits(2))
    pushForeign(log, alice)
    t.match(await host.ask(alice, 'deposit', { amount: 10 }), { version: 5, reply: 14 })
    pushForeign(log, alice)
    t.match(await host.ask(alice, 'deposit', { amount: 10 }), { version: 6, reply: 24 })
    pushForeign(log, alice)
    const cold = node({ on: log })
    t.match(await cold.host.state(alice), {
      state: { balance: 24 },
      version: 6,
      exists: true,
    })
    t.match(await host.stateAt(alice, 4), {
      state: { balance: 4 },
      version: 4,
      exists: true,
    })
    t.match(lines[0], {
      level: 'warn',
      message: /record of account\/alice is not a readable commit/,
      details: { actor: 'account/alice', position: 1, reason: /Cairn-Wire/ },
    })
    t.match(cold.lines, [{ level: 'warn', details: { position: 11 } }])
  },
)

void t.test(
  'a malformed record after the last commit costs an awake actor only the read of the head',
  async t => {
    const { host, store, log } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    pushForeign(log, alice)
    store.forget()
    t.match(await host.ask(alice, 'balance', undefined), { reply: 1 })
    t.strictSame(store.calls, { head: 1, commits: 0, append: 0 })
  },
)

void t.test(
  'an unreadable commit parks the actor and names its version and position',
  async t => {
    const { host, log } = node()
    await write(log, alice, deposits(2))
    pushCommit(log, { actor: alice, firstVersion: 3 }, false)
    const parked = {
      code: 'actor-parked',
      message: /account\/alice is parked.*version 3 at position 3 cannot be read/,
      details: { version: 3, position: 3 },
    }
    await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), parked)
    await t.rejects(host.ask(alice, 'balance', undefined), parked)
    await write(log, alice, deposits(2))
    await t.rejects(node({ on: log }).host.state(alice), parked)
    await t.rejects(host.stateAt(alice, 4), parked)
    t.match(
      await host.stateAt(alice, 2),
      { state: { balance: 2 } },
      'what was before is readable',
    )
    t.equal(host.stats().parked, 1)
  },
)

void t.test('an unreadable commit parks an actor that is awake', async t => {
  const { host, log } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  pushCommit(log, { actor: alice, firstVersion: 2 }, false)
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-parked' })
})

void t.test(
  'an inline state makes unreadable or missing versions before it harmless',
  async t => {
    const log = new MemoryLog()
    await write(log, alice, deposits(2))
    pushCommit(log, { actor: alice, firstVersion: 3 }, false)
    pushCommit(log, {
      actor: alice,
      firstVersion: 6,
      state: { behavior: 1, value: { balance: 60 } },
    })
    await write(log, alice, deposits(1, 5))
    const { host } = node({ on: log })
    t.match(await host.ask(alice, 'balance', undefined), { version: 7, reply: 65 })
    t.match(await host.stateAt(alice, 6), {
      state: { balance: 60 },
      version: 6,
      exists: true,
    })
    await t.rejects(host.stateAt(alice, 4), { code: 'actor-parked' })
  },
)

void t.test('a missing version parks the actor', async t => {
  const inside = node()
  await write(inside.log, alice, deposits(2))
  pushCommit(inside.log, { actor: alice, firstVersion: 5 })
  const gap = {
    code: 'actor-parked',
    message: /version 3 was expected and 5 was found, at position 3/,
    details: { version: 3, found: 5, position: 3 },
  }
  await t.rejects(inside.host.state(alice), gap)
  await t.rejects(inside.host.stateAt(alice, 5), gap)
  const first = node()
  pushCommit(first.log, { actor: alice, firstVersion: 3 })
  await t.rejects(first.host.state(alice), {
    code: 'actor-parked',
    message: /version 1 was expected and 3 was found/,
  })
})

void t.test('a missing version is found in a long history', async t => {
  const { host, log } = node()
  await write(log, alice, deposits(10))
  pushCommit(log, { actor: alice, firstVersion: 12 })
  await write(log, alice, deposits(heldCommitsMax + 10))
  await t.rejects(host.state(alice), {
    code: 'actor-parked',
    message: /version 11 was expected and 12 was found/,
  })
})

void t.test('an event on which evolve fails parks the actor and is named', async t => {
  const { host, log } = node()
  await write(log, alice, [[deposit(1)], [deposit(2), { type: 'spoiled' }]])
  await t.rejects(host.ask(alice, 'balance', undefined), {
    code: 'actor-parked',
    message: /event account\/alice\/3 of type "spoiled" at position 2: this milk is sour/,
    details: { event: 'account/alice/3', version: 3 },
  })
  const unknown = node()
  await write(unknown.log, alice, [[{ type: 'renamed' }]])
  await t.rejects(unknown.host.state(alice), {
    code: 'actor-parked',
    message: /no evolve for event "renamed"/,
  })
})

void t.test(
  'a parked actor wakes when another node has stored a state that can be used',
  async t => {
    const log = new MemoryLog()
    const { host } = node({ on: log })
    await write(log, alice, [[{ type: 'spoiled' }]])
    await t.rejects(host.state(alice), { code: 'actor-parked' })
    pushCommit(log, {
      actor: alice,
      firstVersion: 2,
      state: { behavior: 1, value: { balance: 7 } },
    })
    host.onCommit({ actor: alice, version: 2, position: 2 })
    t.match(await host.ask(alice, 'balance', undefined), { version: 2, reply: 7 })
    t.equal(host.stats().parked, 0)
  },
)

void t.test(
  'a store that fails while an actor wakes fails that command only',
  async t => {
    const { host, store } = node()
    store.before = () => {
      throw new Error('the cable is out')
    }
    await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), {
      message: 'the cable is out',
    })
    store.before = () => {}
    t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 1 })
  },
)

void t.test('time travel returns the state at every version', async t => {
  const { host, log } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  await host.ask(alice, 'split', [2, 3, 4])
  await write(log, alice, [[deposit(5), deposit(6)]])
  const balances: unknown[] = []
  for (let version = 0; version <= 6; version++) {
    const at = await host.stateAt(alice, version)
    t.equal(at.version, version)
    balances.push((at.state as { balance: number }).balance)
  }
  t.strictSame(balances, [0, 1, 3, 6, 10, 15, 21])
  await t.rejects(host.stateAt(alice, 7), {
    code: 'unknown-version',
    message: /account\/alice has no version 7: its last is 6/,
  })
})

void t.test('a history that was replaced is read again', async t => {
  const { host, store, log } = node()
  for (let i = 0; i < 3; i++) await host.ask(alice, 'deposit', { amount: 1 })
  // As if it was erased and started again.
  log.actors.delete('account/alice')
  t.match(await host.ask(alice, 'balance', undefined), { version: 0, reply: 0 })
  await host.ask(alice, 'deposit', { amount: 10 })
  log.actors.delete('account/alice')
  await write(log, alice, deposits(1, 50))
  t.match(await host.ask(alice, 'balance', undefined), { version: 1, reply: 50 })
  await write(log, alice, deposits(1, 5))
  log.actors.delete('account/alice')
  store.markCacheUnverified()
  t.match(await host.ask(alice, 'deposit', { amount: 3 }), { version: 1, reply: 3 })
})

void t.test(
  'an inline state is found again after the state has grown too large',
  async t => {
    const pad = 'x'.repeat(2000)
    const padded = defineActor({
      type: 'padded',
      stateEvery: 10,
      initialState: { count: 0, pad },
      decide: { count: () => event('counted') },
      evolve: { counted: ({ count }) => ({ count: count + 1, pad }) },
    })
    const log = new MemoryLog()
    const p = { type: 'padded', id: 'p' }
    const first = node({ on: log, actors: [padded] })
    for (let i = 0; i < 27; i++) await first.host.ask(p, 'count', undefined)
    const { host, store } = node({ on: log, actors: [padded] })
    t.match(await host.state(p), { state: { count: 27 }, version: 27 })
    t.equal(store.commitsRead, 8)
  },
)

void t.test(
  'an earlier version is read from the nearest stored state before it',
  async t => {
    const log = new MemoryLog()
    const store = observe(log)
    const folding = { actor: alice, behavior: account.behavior }
    for (let version = 1; version <= 400; version += 2)
      pushCommit(log, {
        actor: alice,
        firstVersion: version,
        events: [deposit(1), deposit(1)],
        ...(version % 20 === 1 && {
          state: { behavior: 1, value: { balance: version + 1 } },
        }),
      })
    for (const version of [0, 1, 2, 3, 42, 43, 199, 200, 201, 382, 383, 399, 400])
      t.match(
        await recoverAt(store, folding, version),
        { version, state: { balance: version } },
        `at ${version}`,
      )
    store.forget()
    await recoverAt(store, folding, 395)
    t.ok(store.commitsRead <= 20, `${store.commitsRead} commits read near the end`)
    store.forget()
    await recoverAt(store, folding, 5)
    t.ok(store.commitsRead <= 5, `${store.commitsRead} commits read near the start`)
    // The state of another behavior version is none.
    const changed = { ...folding, behavior: { ...folding.behavior, version: 2 } }
    t.match(await recoverAt(store, changed, 395), { state: { balance: 395 } })
    await t.rejects(recoverAt(store, folding, 401), { code: 'unknown-version' })
  },
)
