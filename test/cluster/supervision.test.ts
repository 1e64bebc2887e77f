// Directives of operators, on every backend: every node follows them, and they survive all nodes.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import {
  type Backend,
  defineActor,
  embedded,
  event,
  isCairnError,
  jetstream,
  memory,
  type Node,
  startNode,
} from '../../src/index.js'
import { supervisorOf } from '../../src/actor/supervisor.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const broken = { is: false }

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, amount: number) => ({
      events: event('deposited', amount),
      reply: after => after.balance,
    }),
    balance: state => ({ reply: state.balance }),
  },
  evolve: {
    deposited(state, amount: number) {
      if (broken.is) throw new Error('the abacus is jammed')
      return { balance: state.balance + amount }
    },
    sour(): { balance: number } {
      throw new Error('this milk is sour')
    },
  },
})

const dir = await mkdtemp(join(tmpdir(), 'cairn-supervision-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
await using server = await startNats()

const backends: readonly Backend[] = [
  memory(),
  embedded({ dir }),
  jetstream({ servers: server.url }),
]
const patience = { timeout: 60_000 }

for (const store of backends)
  await t.test(`directives on ${store.kind}`, async t => {
    const start = async (id: string, namespace: string) =>
      startNode({ namespace, id, store, actors: [account] })
    const bothSee = (nodes: readonly Node[]) =>
      until(() => nodes.every(node => node.members().length === nodes.length), patience)

    await t.test('a pause applies on all nodes until it ends', async t => {
      await using a = await start('a', 'pause')
      await using b = await start('b', 'pause')
      await bothSee([a, b])
      // Some live on one node, some on the other.
      const ids = ['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7']
      for (const id of ids) await a.spawn(account, id).ask('deposit', 1)
      const isPaused = async (node: Node, id: string) => {
        try {
          await node.spawn(account, id).ask('balance')
          return false
        } catch (error) {
          if (!isCairnError(error, 'actor-paused')) throw error
          return error
        }
      }
      for (const id of ids) {
        const { address } = a.spawn(account, id)
        const told = await a.supervise(address).pause({ by: 'ann', reason: 'audit' })
        t.match(told, { ok: true, reply: { paused: { by: 'ann', reason: 'audit' } } })
      }
      for (const node of [a, b])
        for (const id of ids) {
          const refused = await until(() => isPaused(node, id), patience)
          t.match(refused, {
            retryable: true,
            message: /is paused by "ann" since \d{4}-.*\("audit"\)/,
            details: { actor: `account/${id}`, by: 'ann', reason: 'audit', at: Number },
          })
        }
      await t.rejects(b.spawn(account, 'k0').tell('deposit', 1), { code: 'actor-paused' })
      t.match(await b.spawn(account, 'k0').state(), { state: { balance: 1 } }, 'readable')
      t.match(await b.state({ type: 'account', id: 'k0' }), { state: { balance: 1 } })

      // It moves, and it is paused there.
      await b.close()
      for (const id of ids) t.ok(await isPaused(a, id))
      await a.close()
      await using c = await start('c', 'pause')
      for (const id of ids) t.ok(await isPaused(c, id), 'nobody is left who heard of it')
      t.match(await c.supervise({ type: 'account', id: 'k0' }).resume(), { ok: true })
      await until(async () => !(await isPaused(c, 'k0')), patience)
      t.match(await c.spawn(account, 'k0').ask('deposit', 1), { version: 2 })
      t.ok(await isPaused(c, 'k1'), 'the others still are')
      t.match(await c.supervise({ type: 'account', id: 'k0' }).resume(), {
        ok: false,
        rejection: { code: 'not-paused' },
      })
    })

    await t.test('a parked actor is read again after a retry directive', async t => {
      await using a = await start('a', 'retry')
      await using b = await start('b', 'retry')
      await bothSee([a, b])
      const alice = a.spawn(account, 'alice')
      await alice.ask('deposit', 1)
      broken.is = true
      t.teardown(() => (broken.is = false))
      await t.rejects(alice.ask('deposit', 1), { code: 'actor-parked' })
      broken.is = false
      await t.rejects(alice.ask('deposit', 1), { code: 'actor-parked' })
      // From whichever node.
      for (const node of [a, b]) await node.supervise(alice.address).retry({ by: 'bob' })
      const parked = () => a.stats().actors.parked + b.stats().actors.parked
      await until(() => parked() === 0, patience)
      t.match(await alice.ask('deposit', 1), { version: 2, reply: 2 })
    })

    await t.test(
      'a skipped event is skipped on all nodes, and the audit trail shows it',
      async t => {
        await using a = await start('a', 'skip')
        await using b = await start('b', 'skip')
        await bothSee([a, b])
        const alice = a.spawn(account, 'alice')
        await alice.ask('deposit', 1)
        await a.store.append(alice.address, [{ type: 'sour' }])
        const onB = b.spawn(account, 'alice')
        // A notice may be on its way: until it has come, an awake actor may answer as before.
        await until(async () => {
          try {
            await onB.ask('deposit', 2)
            return false
          } catch (error) {
            return isCairnError(error, 'actor-parked')
          }
        }, patience)
        const supervision = b.supervise(alice.address)
        const told = await supervision.skip({ by: 'ann', reason: 'milk' })
        t.match(told, { reply: { skipped: [[2, 2]] } })
        const reads = (ref: typeof alice) =>
          until(async () => {
            try {
              return await ref.ask('deposit', 4)
            } catch (error) {
              if (!isCairnError(error, 'actor-parked')) throw error
              return false
            }
          }, patience)
        t.match(await reads(onB), { version: 3, reply: 5 })
        t.match(await reads(alice), { version: 4, reply: 9 })
        await using c = await start('c', 'skip')
        for (const node of [a, b, c]) {
          const ref = node.spawn(account, 'alice')
          t.match(await ref.state(), { state: { balance: 9 }, version: 4 })
          for (const [version, balance] of [1, 1, 5, 9].entries())
            t.match(await node.state(alice.address, { version: version + 1 }), {
              state: { balance },
            })
        }
        await supervision.pause({ reason: 'for a while' })
        const trail: unknown[] = []
        const { address } = supervision
        t.strictSame(address, { type: 'cairn-supervision', id: 'account/alice' })
        for await (const item of b.store.read(address))
          if (item.kind === 'event') trail.push([item.type, item.data])
        const actor = 'account/alice'
        t.strictSame(trail, [
          ['skipped', { actor, version: 2, by: 'ann', reason: 'milk' }],
          ['paused', { actor, by: 'b', reason: 'for a while' }],
        ])
        t.match(await c.supervise(alice.address).state(), {
          actor,
          skipped: [[2, 2]],
          paused: { by: 'b' },
        })
      },
    )

    await t.test(
      'a durable command waits until a pause ends, and is not dead-lettered',
      async t => {
        await using a = await start('a', 'kept')
        const alice = a.spawn(account, 'alice')
        await alice.ask('deposit', 1)
        const supervision = a.supervise(alice.address)
        await supervision.pause()
        await alice.send('deposit', 2)
        await until(() => a.stats().inbox.failures > 0, patience)
        t.strictSame(a.stats().dead, {})
        t.match(await alice.state(), { state: { balance: 1 } })
        await supervision.resume()
        await until(async () => (await alice.state()).state.balance === 3, patience)
      },
    )

    await t.test('an actor with a long id is supervised like any other', async t => {
      await using a = await start('a', 'long')
      const ref = a.spawn(account, 'é'.repeat(128))
      const supervision = a.supervise(ref.address)
      t.match(supervision.address.id, /^sha256-[0-9a-f]{64}$/)
      t.strictSame(supervisorOf(ref.address), supervision.address)
      await supervision.pause()
      await until(async () => {
        try {
          await ref.ask('deposit', 1)
          return false
        } catch (error) {
          return isCairnError(error, 'actor-paused')
        }
      }, patience)
      t.match(await supervision.state(), { actor: `account/${'é'.repeat(128)}` })
      t.throws(() => a.supervise(supervision.address), { code: 'invalid-actor-type' })
      const byName = await a.ask(supervision.address, 'resume', {
        actor: `account/${ref.address.id}`,
        by: 'tool',
      })
      t.match(byName, { ok: true }, 'a supervisor is an actor, which any node runs')
      t.match(await a.ask(supervision.address, 'pause', { by: '' }), {
        ok: false,
        rejection: { code: 'bad-order' },
      })
    })
  })
