// Several hosts on one log: every answer is based on the latest state, whichever host gives it.

import t from 'tap'

import { MemoryLog } from '../../src/store/event-store/memory.js'
import { until } from '../support/wait.js'
import { alice, barrier, deposits, node, write } from './support.js'

/** Hosts on one log; each has a store and a cache of its own, as nodes have. */
function cluster(count: number, options: Parameters<typeof node>[0] = {}) {
  const log = new MemoryLog()
  const nodes = Array.from({ length: count }, (_, i) =>
    node({ ...options, on: log, nodeId: `node-${i}` }),
  )
  return { log, nodes }
}

void t.test(
  'hundreds of commands through two hosts add up, without gap or fork',
  async t => {
    const { nodes } = cluster(2)
    const asks = Array.from({ length: 400 }, (_, i) =>
      nodes[i % 2]!.host.ask(alice, 'deposit', { amount: i }, { timeout: 60_000 }),
    )
    const outcomes = await Promise.all(asks)
    const sum = (400 * 399) / 2
    const versions: number[] = []
    for await (const event of nodes[0]!.store.read(alice))
      if (event.kind === 'event') versions.push(event.version)
    t.strictSame(
      versions,
      asks.map((_, i) => i + 1),
    )
    t.equal(new Set(outcomes.map(({ version }) => version)).size, 400)
    for (const { host } of nodes)
      t.match(await host.state(alice), {
        state: { balance: sum },
        version: 400,
        exists: true,
      })
  },
)

void t.test(
  'after a conflict, the command is decided again on what the other host stored',
  async t => {
    const { nodes } = cluster(2)
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    await a.host.ask(alice, 'deposit', { amount: 10 })
    await b.host.ask(alice, 'withdraw', { amount: 4 })
    t.match(await a.host.ask(alice, 'deposit', { amount: 1 }), { version: 3, reply: 7 })
    t.match(a.host.stats(), { conflicts: 1, retries: 1 })
    // Withdrawn through the other host, so the command is no longer possible.
    await b.host.ask(alice, 'withdraw', { amount: 7 })
    t.match(await a.host.ask(alice, 'withdraw', { amount: 1 }), {
      ok: false,
      version: 4,
      rejection: { details: { balance: 0 } },
    })
  },
)

void t.test(
  'a command that loses to the new owner of its actor is left to that node',
  async t => {
    let owner: string | undefined
    const versions = {
      otherOwner: () => owner,
      capableOwner: () => undefined,
      nextVersion: () => undefined,
      latestSeen: () => 1,
      learn() {},
    }
    const log = new MemoryLog()
    const a = node({ on: log, nodeId: 'a', versions: () => versions })
    const b = node({ on: log, nodeId: 'b' })
    await a.host.ask(alice, 'deposit', { amount: 1 })
    owner = 'b'
    t.match(await a.host.ask(alice, 'deposit', { amount: 2 }), { version: 2 })
    await b.host.ask(alice, 'deposit', { amount: 4 })
    const stored = log.records.length
    const asks = Array.from({ length: 5 }, () =>
      a.host.ask(alice, 'deposit', { amount: 8 }, { commandId: 'kept' }),
    )
    const [first, ...others] = await Promise.allSettled(asks)
    t.match(first, {
      status: 'rejected',
      reason: { code: 'not-owner', details: { owner: 'b' } },
    })
    // The state was read again, so those that waited do not lose.
    for (const other of others) t.match(other, { status: 'fulfilled' })
    t.equal(log.records.length, stored + 1)
  },
)

void t.test('a rejection decided on an old state is not returned', async t => {
  const { nodes } = cluster(2)
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
  t.match(await b.host.ask(alice, 'withdraw', { amount: 5 }), { ok: false, version: 0 })
  await a.host.ask(alice, 'deposit', { amount: 5 })
  b.store.forget()
  t.match(await b.host.ask(alice, 'withdraw', { amount: 5 }), { ok: true, version: 2 })
  t.strictSame(b.store.calls, { head: 1, commits: 0, append: 1 })
  t.match(b.host.stats(), { conflicts: 0, retries: 1 })
})

void t.test('a command without events is answered from the latest state', async t => {
  const { nodes } = cluster(2)
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
  for (let amount = 1; amount <= 20; amount++) {
    const { version } = await a.host.ask(alice, 'deposit', { amount })
    t.match(await b.host.ask(alice, 'balance', undefined), { version })
    t.match(await b.host.state(alice), { version })
  }
})

void t.test(
  'one read of the head confirms all commands that arrived before it',
  async t => {
    const { host, store } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    store.forget()
    const held = barrier()
    store.before = () => held.wait()
    const queries = Array.from({ length: 10 }, () =>
      host.ask(alice, 'balance', undefined),
    )
    await held.reached
    const late = host.ask(alice, 'balance', undefined)
    held.letGo()
    for (const outcome of await Promise.all(queries)) t.match(outcome, { reply: 1 })
    await late
    t.strictSame(store.calls, { head: 2, commits: 0, append: 0 })
  },
)

void t.test('a notice makes the resident read before it decides', async t => {
  const { nodes } = cluster(2)
  const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
  await b.host.ask(alice, 'deposit', { amount: 1 })
  const { version, position } = await a.host
    .ask(alice, 'deposit', { amount: 2 })
    .then(outcome => ({
      version: outcome.version,
      position: outcome.ok ? outcome.position : 0,
    }))
  b.store.forget()
  b.host.onCommit({ actor: alice, version, position })
  t.match(await b.host.ask(alice, 'deposit', { amount: 3 }), { version: 3, reply: 6 })
  t.strictSame(b.store.calls, { head: 1, commits: 0, append: 1 })
  t.equal(b.host.stats().conflicts, 0, 'no append was in vain')
})

void t.test(
  'a notice of a known version, or of an actor that is not in memory, changes nothing',
  async t => {
    const { host, store } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    store.forget()
    host.onCommit({ actor: alice, version: 1, position: 1 })
    host.onCommit({ actor: { ...alice, id: 'bob' }, version: 9, position: 9 })
    await host.ask(alice, 'deposit', { amount: 1 })
    t.strictSame(store.calls, { head: 0, commits: 0, append: 1 })
    t.equal(host.stats().residents, 1)
  },
)

void t.test('a wrong notice costs one read', async t => {
  const { host, store } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  store.forget()
  host.onCommit({ actor: alice, version: 1000, position: 1000 })
  for (let i = 0; i < 3; i++) await host.ask(alice, 'deposit', { amount: 1 })
  t.strictSame(store.calls, { head: 1, commits: 0, append: 3 })
})

void t.test(
  'a notice of its own commit that arrives before the answer costs nothing',
  async t => {
    const { host, store } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    store.forget()
    store.after = () => host.onCommit({ actor: alice, version: 2, position: 2 })
    await host.ask(alice, 'deposit', { amount: 1 })
    store.after = () => {}
    await host.ask(alice, 'deposit', { amount: 1 })
    t.strictSame(store.calls, { head: 0, commits: 0, append: 2 })
  },
)

void t.test('unverified residents read once before they continue', async t => {
  const { host, store, log } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  await write(log, alice, deposits(2))
  host.markUnverified()
  store.forget()
  t.match(await host.ask(alice, 'deposit', { amount: 1 }), { version: 4, reply: 4 })
  t.strictSame(store.calls, { head: 1, commits: 1, append: 1 })
  t.equal(store.commitsRead, 2, 'the tail only')
  store.forget()
  await host.ask(alice, 'deposit', { amount: 1 })
  t.strictSame(store.calls, { head: 0, commits: 0, append: 1 })
})

void t.test(
  'a command that loses every race ends in contention at its deadline',
  async t => {
    const { host, store, log } = node()
    store.before = async operation => {
      if (operation === 'append') await write(log, alice, deposits(1))
    }
    const error: unknown = await host
      .ask(alice, 'deposit', { amount: 100 }, { timeout: 500 })
      .catch((thrown: unknown) => thrown)
    store.before = () => {}
    const { conflicts } = host.stats()
    t.match(error, {
      code: 'contention',
      retryable: true,
      message: `Command "deposit" to account/alice had ${conflicts} version conflicts in a row`,
      details: { actor: 'account/alice', conflicts },
    })
    t.match(await host.ask(alice, 'deposit', { amount: 100 }), {
      version: conflicts + 1,
      reply: conflicts + 100,
    })
  },
)

void t.test('a command that loses many races is stored in the end', async t => {
  const { host, store, log } = node()
  let races = 0
  store.before = async operation => {
    if (operation === 'append' && races++ < 30) await write(log, alice, deposits(1))
  }
  const ask = host.ask(alice, 'deposit', { amount: 100 }, { timeout: 60_000 })
  t.match(await ask, { version: 31, reply: 130 })
  t.match(host.stats(), { conflicts: 30 })
})

void t.test(
  'after a conflict, the other owner can store something between two commands',
  async t => {
    const { nodes } = cluster(2)
    const [a, b] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
    const deposit = ({ host }: typeof a) => host.ask(alice, 'deposit', { amount: 1 })
    await deposit(a)
    await deposit(b)
    await deposit(a)
    t.match(a.host.stats(), { conflicts: 1 })
    b.host.onCommit({ actor: alice, version: 3, position: 3 })
    a.store.forget()
    const waiting = deposit(a)
    t.match(await deposit(b), { version: 4 }, 'while the other one waits')
    t.match(await waiting, { version: 5 })
    t.strictSame(a.store.calls, { head: 1, commits: 0, append: 1 }, 'which then reads')
    t.match(a.host.stats(), { conflicts: 1 }, 'and has no conflict')
    await until(
      async () => {
        a.store.forget()
        await deposit(a)
        return a.store.calls.head === 0
      },
      { describe: 'it does not wait any more' },
    )
  },
)

void t.test(
  'a command that is aborted between two attempts is not tried again',
  async t => {
    const { host, store, log } = node()
    const cancel = new AbortController()
    store.before = async operation => {
      if (operation !== 'append') return
      await write(log, alice, deposits(1))
    }
    store.after = () => cancel.abort()
    const call = host.ask(alice, 'deposit', { amount: 100 }, { signal: cancel.signal })
    await t.rejects(call, { code: 'aborted' })
    t.equal(store.calls.append, 1)
    t.equal(log.records.length, 1)
  },
)

void t.test(
  'a read that is older than the conflict the store reported is made again',
  async t => {
    const { host, store, log } = node()
    await host.ask(alice, 'deposit', { amount: 1 })
    const old = await store.head(alice)
    await write(log, alice, deposits(1, 10))
    let lagging = 3
    const head = store.head.bind(store)
    store.head = async (actor, options) => (lagging-- > 0 ? old : head(actor, options))
    store.forget()
    t.match(await host.ask(alice, 'deposit', { amount: 100 }), { version: 3, reply: 111 })
    t.equal(store.calls.append, 2, 'nothing was decided on what was known to be old')
  },
)

void t.test('a long tail is folded in one read', async t => {
  const { host, store, log } = node()
  await host.ask(alice, 'deposit', { amount: 1 })
  await write(log, alice, deposits(500))
  store.forget()
  t.match(await host.ask(alice, 'balance', undefined), { version: 501, reply: 501 })
  t.strictSame(store.calls, { head: 1, commits: 1, append: 0 })
})
