// P2, P4: a transaction over several actors takes effect as a whole, once, or not at all; on
// every backend.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t, { type Test } from 'tap'

import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { contract } from '../../src/actor/contract.js'
import { send } from '../../src/actor/effects.js'
import type { Transaction as Tx } from '../../src/actor/transaction.js'
import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { type CairnError, type ErrorCode, isCairnError } from '../../src/model/errors.js'
import { newId } from '../../src/model/id.js'
import { deferred } from '../../src/model/wait.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode } from '../../src/runtime/start-node.js'
import { guardType } from '../../src/store/event-store/transaction.js'
import { Faults, faulty } from '../../src/testing/index.js'
import { collect } from '../contract/store/support.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { account } from './support.js'

await using server = await startNats()

const rule = defineActor({
  type: 'rule',
  initialState: { limit: 100 },
  decide: { set: (_state, { limit }: { limit: number }) => event('set', { limit }) },
  evolve: { set: (_state, { limit }: { limit: number }) => ({ limit }) },
})
const actors = [account, rule]

interface Scene {
  readonly backend: Backend
  start(
    id: string,
    options?: { readonly actors?: readonly AnyActorDefinition[] },
  ): Promise<Node>
}

type Body = (t: Test, scene: Scene) => Promise<void>

const tests: [title: string, body: Body][] = []
const test = (title: string, body: Body) => void tests.push([title, body])

async function rejects(t: Test, code: ErrorCode, work: Promise<unknown>, what: string) {
  try {
    await work
    t.fail(`${what}: it is rejected`)
  } catch (error) {
    if (!isCairnError(error)) throw error
    t.equal(error.code, code, `${what}: ${error.message}`)
    return error
  }
  return undefined
}

const deposit = (node: Node, id: string, amount: number) =>
  node.spawn(account, id).ask('deposit', { amount })
const balance = async (node: Node, id: string) =>
  (await node.spawn(account, id).state()).state.balance

const transfer = (from: string, to: string, amount: number) => async (tx: Tx) => {
  const taken = await tx.ask(account, from, 'withdraw', { amount })
  if (!taken.ok) return tx.abort(taken.rejection)
  const given = await tx.ask(account, to, 'deposit', { amount })
  return { taken: taken.version, given: given.reply }
}

test('events of two actors are stored with one transaction id', async (t, { start }) => {
  await using node = await start('one')
  await deposit(node, 'alice', 100)
  const moved = await node.transact(transfer('alice', 'bob', 30), { correlationId: 'k' })
  if (!moved.ok) throw new Error('it is accepted')
  t.strictSame(moved.value, { taken: 2, given: 30 })
  t.equal(moved.duplicate, false)
  t.equal(await balance(node, 'alice'), 70)
  t.equal(await balance(node, 'bob'), 30)
  const records = (await collect(node.store.readAll())).slice(1)
  t.match(records, [
    {
      actor: { id: 'alice' },
      transactionId: moved.transactionId,
      command: { id: `${moved.transactionId}/1`, reply: { taken: 2, given: 30 } },
      state: { value: { balance: 70 } },
      correlationId: 'k',
      nodeId: 'one',
    },
    {
      actor: { id: 'bob' },
      transactionId: moved.transactionId,
      command: { id: `${moved.transactionId}/2` },
      state: { value: { balance: 30 } },
    },
  ])
  t.match(node.stats().transactions, { open: 0, stored: 1, retries: 0, duplicates: 0 })
})

test('several commands on one actor see each other, and are one commit', async (t, {
  start,
}) => {
  await using node = await start('one')
  const { ok, value } = await node.transact(async tx => {
    const before = await tx.load(account, 'alice')
    await tx.ask(account, 'alice', 'deposit', { amount: 5 })
    await tx.ask(account, 'bob', 'deposit', { amount: 1 })
    const more = await tx.ask(account, 'alice', 'split', [1, 2])
    const asked = await tx.ask(account, 'alice', 'balance')
    const after = await tx.load(account, 'alice')
    return [before, more.version, asked.reply, after]
  })
  t.equal(ok, true)
  t.match(value, [
    { state: { balance: 0 }, version: 0, exists: false },
    3,
    8,
    { state: { balance: 8 }, version: 3, exists: true },
  ])
  const records = await collect(node.store.readAll())
  t.match(records, [
    { actor: { id: 'alice' }, firstVersion: 1, lastVersion: 3 },
    { actor: { id: 'bob' }, lastVersion: 1 },
  ])
  t.equal(records.length, 2)
})

test('a rejection is a result; a work that aborts or throws stores nothing', async (t, {
  start,
}) => {
  await using node = await start('one')
  await deposit(node, 'alice', 10)
  const rejected = await node.transact(transfer('alice', 'bob', 11))
  t.match(rejected, {
    ok: false,
    reason: { code: 'overdraft', details: { balance: 10 } },
  })
  const late = await node.transact(async tx => {
    await tx.ask(account, 'bob', 'deposit', { amount: 1 })
    return (await tx.ask(account, 'alice', 'withdraw', { amount: 11 })).ok
      ? 'gone'
      : tx.abort('poor')
  })
  t.match(late, { ok: false, reason: 'poor' })
  const mine = new Error('of the work')
  const thrown = node.transact(async tx => {
    await tx.ask(account, 'alice', 'withdraw', { amount: 1 })
    throw mine
  })
  await t.rejects(thrown, mine)
  const partly = await node.transact(async tx => {
    const taken = await tx.ask(account, 'alice', 'withdraw', { amount: 11 })
    await tx.ask(account, 'bob', 'deposit', { amount: 2 })
    return taken.ok
  })
  t.match(
    partly,
    { ok: true, value: false },
    'a work that continues after a rejection stores the rest',
  )
  t.equal(await balance(node, 'alice'), 10)
  t.equal(await balance(node, 'bob'), 2)
})

test('after a conflict the work runs again on the current states, a bounded number of times', async (t, {
  start,
}) => {
  await using node = await start('one')
  await using other = await start('two')
  await deposit(node, 'alice', 10)
  let works = 0
  const moved = await node.transact(async tx => {
    works++
    const { state } = await tx.load(account, 'alice')
    if (works <= 2) await other.spawn(account, 'alice').ask('deposit', { amount: 5 })
    await tx.ask(account, 'alice', 'withdraw', { amount: state.balance })
    await tx.ask(account, 'bob', 'deposit', { amount: state.balance })
    return state.balance
  })
  t.match(moved, { ok: true, value: 20 })
  t.equal(works, 3)
  t.equal(await balance(node, 'alice'), 0)
  t.equal(await balance(node, 'bob'), 20)
  const never = node.transact(
    async tx => {
      await tx.ask(account, 'alice', 'deposit', { amount: 1 })
      await other.spawn(account, 'bob').ask('deposit', { amount: 1 })
      await tx.load(account, 'bob')
      await tx.ask(account, 'bob', 'deposit', { amount: 1 })
      await other.spawn(account, 'bob').ask('deposit', { amount: 1 })
    },
    { attempts: 3 },
  )
  const error = await rejects(t, 'contention', never, 'after three attempts')
  t.equal(error?.details.attempts, 3)
  t.equal(await balance(node, 'bob'), 26)
})

test('an actor that is only read is guarded, unless it is loaded with guard: false', async (t, {
  start,
}) => {
  await using node = await start('one')
  const limit = node.spawn(rule, 'limit')
  await limit.ask('set', { limit: 10 })
  for (const guard of [true, false]) {
    let works = 0
    const result = await node.transact(async tx => {
      works++
      const { state } = await tx.load(rule, 'limit', { guard })
      if (works === 1) await limit.ask('set', { limit: state.limit + 1 })
      await tx.ask(account, 'alice', 'deposit', { amount: state.limit })
      return state.limit
    })
    t.equal(works, guard ? 2 : 1)
    t.match(
      result,
      { ok: true, value: 11 },
      'with: what is there; without: what was read',
    )
  }
  const guards = (await collect(node.store.readAll({ types: [guardType] }))).length
  t.equal(guards, 1, 'a guard leaves one record')
  t.equal((await limit.state()).version, 3, 'and none in the history of who is guarded')
})

test('the outcome of a work that stores nothing is based on states of one time', async (t, {
  start,
}) => {
  await using node = await start('one')
  await deposit(node, 'alice', 10)
  const move = (amount: number) => node.transact(transfer('alice', 'bob', amount))
  for (const end of ['value', 'abort', 'throw'] as const) {
    let works = 0
    const sum = node.transact(async tx => {
      const a = await tx.load(account, 'alice')
      if (++works === 1) await move(1)
      const b = await tx.load(account, 'bob')
      const total = a.state.balance + b.state.balance
      if (end === 'throw') throw new Error(`the sum is ${total}`)
      return end === 'abort' ? tx.abort(total) : total
    })
    if (end === 'throw') await t.rejects(sum, { message: 'the sum is 10' })
    else
      t.match(
        await sum,
        end === 'abort' ? { ok: false, reason: 10 } : { ok: true, value: 10 },
      )
    t.equal(works, 2, `${end}: a sum of states of two times does not count`)
  }
})

test('a transaction sent twice takes effect once and returns the first value', async (t, {
  start,
}) => {
  await using node = await start('one')
  await using other = await start('two')
  await deposit(node, 'alice', 100)
  const id = 'order 4711'
  const first = await node.transact(transfer('alice', 'bob', 30), { id })
  t.match(first, { ok: true, transactionId: id, duplicate: false, value: { given: 30 } })
  await deposit(other, 'alice', 1)
  await deposit(other, 'bob', 1)
  for (const asked of [node, other]) {
    const again = await asked.transact(transfer('alice', 'bob', 30), { id })
    t.match(again, { ok: true, transactionId: id, duplicate: true, value: { given: 30 } })
  }
  let swallowed = false
  const stubborn = await node.transact(
    async tx => {
      try {
        await tx.ask(account, 'alice', 'withdraw', { amount: 30 })
      } catch {
        swallowed = true
      }
      await tx.ask(account, 'bob', 'deposit', { amount: 30 })
    },
    { id },
  )
  t.match(stubborn, { ok: true, duplicate: true, value: { given: 30 } })
  t.equal(swallowed, true, 'a work that continues nevertheless stores nothing')
  t.equal(await balance(node, 'alice'), 71)
  t.equal(await balance(node, 'bob'), 31)
  t.equal((await collect(node.store.readAll())).length, 5)
  t.equal(node.stats().transactions.duplicates, 2)
})

test('of many concurrent transactions with one id, one takes effect', async (t, {
  start,
}) => {
  await using node = await start('one')
  await using other = await start('two')
  await deposit(node, 'alice', 100)
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.all(
      [node, other, node, other, node].map(each =>
        each.transact(transfer('alice', `to-${round}`, 10), { id: `t-${round}` }),
      ),
    )
    const values = outcomes.map(outcome => (outcome.ok ? outcome.value.given : 'undone'))
    t.strictSame(values, [10, 10, 10, 10, 10], 'all get the answer of the one')
    const acted = outcomes.filter(outcome => outcome.ok && !outcome.duplicate)
    t.equal(acted.length, 1)
    t.equal(await balance(node, `to-${round}`), 10)
  }
  t.equal(await balance(node, 'alice'), 50)
})

test('with an id, the first actor must be written to', async (t, { start }) => {
  await using node = await start('one')
  const work = async (tx: Tx) => {
    await tx.load(rule, 'limit')
    await tx.ask(account, 'alice', 'deposit', { amount: 1 })
  }
  const error = await rejects(
    t,
    'invalid-option',
    node.transact(work, { id: 'x' }),
    'with an id',
  )
  t.equal(error?.details.actor, 'rule/limit')
  t.equal(await balance(node, 'alice'), 0)
  t.match(await node.transact(work), { ok: true }, 'without one, none is needed')
  t.equal(await balance(node, 'alice'), 1)
})

test('outbox entries are delivered if the transaction commits, and only then', async (t, {
  start,
}) => {
  const teller = defineActor({
    type: 'teller',
    initialState: 0,
    decide: {
      order: (_state, id: string) => [
        event('ordered', { id }),
        send(contract('account'), id, 'deposit', { amount: 7 }),
      ],
    },
    evolve: { ordered: (state, _data: { id: string }) => state + 1 },
  })
  await using node = await start('one', { actors: [...actors, teller] })
  const order = (tx: Tx, id: string) => tx.ask(teller, 'desk', 'order', id)
  const undone = await node.transact(async tx => {
    await order(tx, 'never')
    return tx.abort('no')
  })
  t.equal(undone.ok, false)
  const done = await node.transact(async tx => {
    await order(tx, 'carol')
    await tx.ask(account, 'alice', 'deposit', { amount: 1 })
    await order(tx, 'dave')
  })
  t.equal(done.ok, true)
  for (const id of ['carol', 'dave'])
    await until(async () => (await balance(node, id)) === 7, { describe: `${id} has it` })
  t.equal(await balance(node, 'never'), 0)
  t.equal((await node.spawn(teller, 'desk').state()).version, 2)
})

test('a paused actor takes part in no transaction', async (t, { start }) => {
  await using node = await start('one')
  await deposit(node, 'alice', 10)
  await deposit(node, 'bob', 10)
  const bob = node.supervise({ type: 'account', id: 'bob' })
  await bob.pause()
  const work = node.transact(transfer('alice', 'bob', 1))
  await rejects(t, 'actor-paused', work, 'while it is paused')
  t.match(await node.transact(tx => tx.load(account, 'bob')), { value: { version: 1 } })
  await bob.resume()
  t.match(await node.transact(transfer('alice', 'bob', 1)), { ok: true })
  t.equal(await balance(node, 'bob'), 11)
})

test('residents on all nodes follow a transaction', async (t, { start }) => {
  await using node = await start('one')
  await using other = await start('two')
  await until(() => node.members().length === 2 && other.members().length === 2)
  for (const id of ['a', 'b', 'c', 'd']) {
    await deposit(node, id, 10)
    t.match(await other.spawn(account, id).ask('balance'), { reply: 10 })
  }
  for (const [from, to] of [
    ['a', 'b'],
    ['c', 'd'],
    ['b', 'c'],
  ] as const)
    t.match(await node.transact(transfer(from, to, 4)), { ok: true })
  for (const asked of [node, other]) {
    const balances = []
    for (const id of ['a', 'b', 'c', 'd'])
      balances.push((await asked.spawn(account, id).ask('balance')).reply)
    t.strictSame(balances, [6, 10, 10, 14])
  }
  const next = await other.spawn(account, 'd').ask('withdraw', { amount: 14 })
  t.match(next, { ok: true, version: 3 })
})

test('every commit of a transaction has a notice', async (t, { start }) => {
  await using node = await start('one')
  await using other = await start('two')
  const eventIds: string[] = []
  await other.subscribeToEventStored(({ eventId }) => void eventIds.push(eventId))
  await node.transact(async tx => {
    await tx.ask(account, 'alice', 'deposit', { amount: 1 })
    await tx.ask(account, 'bob', 'split', [1, 2])
  })
  await until(() => eventIds.length === 3, { describe: 'three notices' })
  t.strictSame(eventIds, ['account/alice/1', 'account/bob/1', 'account/bob/2'])
  t.equal(other.store.cachedVersion({ type: 'account', id: 'bob' }), 2)
})

test('invalid options and calls are errors, and store nothing', async (t, { start }) => {
  await using node = await start('one')
  const ask = (tx: Tx) => tx.ask(account, 'alice', 'deposit', { amount: 1 })
  const twin = defineActor({
    type: 'account',
    initialState: 0,
    decide: { add: () => event('added') },
    evolve: { added: state => state + 1 },
  })
  const gate = deferred<void>()
  let escaped: Tx | undefined
  const cases: [string, ErrorCode, () => Promise<unknown>][] = [
    ['an empty id', 'invalid-option', () => node.transact(ask, { id: '' })],
    ['a long id', 'invalid-option', () => node.transact(ask, { id: 'x'.repeat(251) })],
    ['no attempts', 'invalid-option', () => node.transact(ask, { attempts: 0 })],
    ['a timeout of 0', 'invalid-option', () => node.transact(ask, { timeout: 0 })],
    [
      'an aborted signal',
      'aborted',
      () => node.transact(ask, { signal: AbortSignal.abort() }),
    ],
    [
      'an unknown definition',
      'unknown-actor-type',
      () => node.transact(tx => tx.ask(twin, 'a', 'add')),
    ],
    ['no actor id', 'invalid-actor-id', () => node.transact(tx => tx.load(account, ''))],
    [
      'a value that is no data',
      'invalid-data',
      () => node.transact(async tx => (await ask(tx), new Map())),
    ],
    [
      'an unknown command',
      'unknown-command',
      () => node.transact(tx => tx.ask(account, 'alice', 'steal' as never)),
    ],
    [
      'a decide that throws',
      'decide-failed',
      () => node.transact(async tx => (await ask(tx), tx.ask(account, 'bob', 'explode'))),
    ],
    [
      'a call that is not awaited',
      'invalid-option',
      () =>
        node.transact(async tx => {
          void ask(tx).catch(() => {})
        }),
    ],
    [
      'a transaction that escaped',
      'invalid-option',
      async () => {
        await node.transact(tx => void (escaped = tx))
        await escaped!.load(account, 'alice')
      },
    ],
    [
      'more actors than fit',
      'commit-too-large',
      () =>
        node.transact(async tx => {
          for (let i = 0; i <= 100; i++)
            await tx.ask(account, `many-${i}`, 'deposit', { amount: 1 })
        }),
    ],
    [
      'a work that takes too long',
      'deadline-exceeded',
      () =>
        node.transact(
          async tx => {
            await ask(tx)
            await gate.promise
          },
          { timeout: 100 },
        ),
    ],
  ]
  for (const [what, code, work] of cases) {
    const error = await rejects(t, code, work(), what)
    if (code === 'deadline-exceeded') t.ok(error?.details.transactionId)
  }
  gate.resolve()
  await t.rejects(node.transact(ask, { signal: AbortSignal.abort() }))
  t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
})

test('a closing node finishes its open transactions and accepts no more', async (t, {
  start,
}) => {
  const node = await start('one')
  const [begun, go] = [deferred<void>(), deferred<void>()]
  const work = node.transact(async tx => {
    await tx.ask(account, 'alice', 'deposit', { amount: 1 })
    begun.resolve()
    await go.promise
    return 'done'
  })
  await begun.promise
  const closing = node.close()
  await until(async () => {
    const rejected = await node.transact(() => 1).catch((error: unknown) => error)
    return isCairnError(rejected, 'node-closed')
  })
  go.resolve()
  t.match(await work, { ok: true, value: 'done' })
  await closing
  await using next = await start('two')
  t.equal(await balance(next, 'alice'), 1)
})

const dirs: string[] = []
t.teardown(() => Promise.all(dirs.map(dir => rm(dir, { recursive: true, force: true }))))
const backends: Record<string, () => Promise<Backend>> = {
  memory: async () => memory(),
  embedded: async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cairn-transact-'))
    dirs.push(dir)
    return embedded({ dir })
  },
  jetstream: async () => jetstream({ servers: server.url }),
}

for (const [name, open] of Object.entries(backends))
  await t.test(`transactions on ${name}`, async t => {
    for (const [title, body] of tests)
      await t.test(title, async t => {
        const backend = await open()
        const namespace = `t-${newId()}`
        const start: Scene['start'] = (id, options = {}) =>
          startNode({ namespace, id, store: backend, actors, ...options })
        await body(t, { backend, start })
      })
  })

await t.test(
  'with stores that fail, are slow and lose answers, money is conserved',
  async t => {
    const faults = new Faults({ seed: 4711 })
    t.comment(`seed ${faults.seed}`)
    const backend = faulty(memory(), faults)
    const start = (id: string) =>
      startNode({ namespace: 'f', id, store: backend, actors })
    await using one = await start('one')
    await using two = await start('two')
    const ids = ['a', 'b', 'c']
    for (const id of ids) await deposit(one, id, 10_000)
    faults.failAppends(0.2)
    faults.delayAppends(0.3)
    faults.dropNotices(0.3)
    let [carriedOut, repeated] = [0, 0]
    const lane = async (node: Node, lane: number) => {
      for (let i = 0; i < 60; i++) {
        const [from, to] = [ids[(i + lane) % 3]!, ids[(i + lane + 1 + (i % 2)) % 3]!]
        const id = `${lane}-${i}`
        for (let asks = 1; ; asks++) {
          if (asks > 50) throw new Error(`${id} does not end`)
          try {
            const outcome = await node.transact(transfer(from, to, 1 + (i % 7)), { id })
            if (outcome.ok) carriedOut++
            break
          } catch (error) {
            if (!(error as CairnError).retryable) throw error
            repeated++
          }
        }
      }
    }
    await Promise.all([lane(one, 0), lane(two, 1), lane(one, 2), lane(two, 3)])
    faults.calm()
    t.ok(repeated > 0, `${repeated} were asked again`)
    let sum = 0
    for (const id of ids) sum += await balance(one, id)
    t.equal(sum, 30_000)
    const parts = new Map<string, number>()
    for (const record of await collect(one.store.readAll()))
      if (record.kind === 'commit' && record.transactionId !== undefined)
        parts.set(record.transactionId, (parts.get(record.transactionId) ?? 0) + 1)
    t.ok(
      [...parts.values()].every(count => count === 2),
      'each is in both, once',
    )
    t.equal(parts.size, carriedOut, 'and each that was answered is there')
  },
)
