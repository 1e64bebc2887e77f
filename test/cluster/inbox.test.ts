// Durable commands: on every backend they are handled once and in order, whichever nodes are running.

import t, { type Test } from 'tap'

import type { Backend, OpenNamespace } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { newId } from '../../src/model/id.js'
import type { Node } from '../../src/runtime/node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const list = defineActor({
  type: 'list',
  commandWindow: { commands: 2, ms: 1 },
  initialState: { items: 0 },
  decide: {
    add: (_state, item: string) => event('added', item),
    never: () => reject('never', 'It never does.'),
  },
  evolve: { added: state => ({ items: state.items + 1 }) },
})
const other = defineActor({
  type: 'other',
  initialState: {},
  decide: { touch: () => event('touched') },
  evolve: { touched: state => state },
})

await using server = await startNats()

const backends: Readonly<Record<string, () => Backend>> = {
  memory,
  embedded: () => embedded({ dir: t.testdir() }),
  JetStream: () => jetstream({ servers: server.url }),
}

/** A namespace of its own, and nodes on it that end with the test. */
function scene(t: Test, backend: Backend) {
  const namespace = `inbox-${newId().slice(0, 8)}`
  return {
    namespace,
    async start(options: Partial<NodeOptions> = {}): Promise<Node> {
      const node = await startNode({
        namespace,
        store: backend,
        actors: [list],
        ...options,
      })
      t.teardown(() => node.close())
      return node
    },
    async open(): Promise<OpenNamespace> {
      const open = await backend.open({ namespace, nodeId: 'looker' })
      t.teardown(() => open.close())
      return open
    },
  }
}

async function itemsOf(node: Node, id: string): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const record of node.store.read({ type: 'list', id }))
    items.push((record as RecordedEvent).data)
  return items
}

async function waiting({ queues }: OpenNamespace): Promise<number> {
  let count = 0
  for await (const _ of queues.inbox.read()) count++
  return count
}

const done = (open: OpenNamespace, describe: string) =>
  until(async () => (await waiting(open)) === 0, { describe, timeout: 60_000 })

for (const [name, make] of Object.entries(backends))
  await t.test(`durable commands on ${name}`, async t => {
    const backend = make()

    await t.test('a sent command is handled, and then removed', async t => {
      const { start, open } = scene(t, backend)
      const node = await start()
      const ref = node.spawn(list, 'a')
      const receipt = await ref.send('add', 'one', { commandId: 'first' })
      t.match(receipt, { commandId: 'first', position: 1, duplicate: false })
      await done(await open(), 'the inbox is empty')
      t.strictSame(await itemsOf(node, 'a'), ['one'])
      t.equal((await ref.ask('add', 'more')).version, 2)
      await until(() => node.stats().inbox.handled === 1, { describe: 'it is counted' })
      t.match(node.stats().inbox, { partitions: 16, failing: 0, open: 0, rejected: 0 })
    })

    await t.test(
      'commands sent while no node runs are handled later, once and in order',
      async t => {
        const { start, open } = scene(t, backend)
        const sender = await start({ serve: false })
        t.equal(
          sender.stats().inbox.partitions,
          0,
          'who takes no part carries nothing out',
        )
        const ids = Array.from({ length: 5 }, (_, i) => `actor ${i}`)
        for (let i = 0; i < 20; i++)
          for (const id of ids)
            await sender.send({ type: 'list', id }, 'add', `${i}`, {
              commandId: `${id}-${i}`,
            })
        const again = await sender.send({ type: 'list', id: 'actor 1' }, 'add', '3', {
          commandId: 'actor 1-3',
        })
        t.equal(again.duplicate, true, 'an id that waits is not stored twice')
        await sender.close()

        const node = await start()
        await done(await open(), 'all are carried out')
        for (const id of ids)
          t.strictSame(
            await itemsOf(node, id),
            Array.from({ length: 20 }, (_, i) => `${i}`),
            id,
          )
      },
    )

    await t.test(
      'while nodes join and leave, commands are handled once and in order',
      async t => {
        const { start, open } = scene(t, backend)
        const sender = await start({ serve: false })
        const nodes = [await start(), await start()]
        const actors = 8
        const each = 60
        const send = async (lane: number) => {
          for (let i = 0; i < each; i++)
            await sender.send({ type: 'list', id: `a${lane}` }, 'add', `${i}`)
        }
        const sending = Promise.all(Array.from({ length: actors }, (_, i) => send(i)))
        const handled = () =>
          nodes.reduce((sum, one) => sum + one.stats().inbox.handled, 0)
        await until(() => handled() >= 40, { describe: 'some are carried out' })
        nodes.push(await start())
        await until(() => handled() >= 120, { describe: 'some more are' })
        await nodes[0]!.close()
        nodes.push(await start())
        await sending
        await done(await open(), 'all are carried out')
        for (let lane = 0; lane < actors; lane++)
          t.strictSame(
            await itemsOf(sender, `a${lane}`),
            Array.from({ length: each }, (_, i) => `${i}`),
            `a${lane}`,
          )
        // A lane may still be on its way from one to the other.
        const lanes = () => nodes.slice(1).map(node => node.stats().inbox.partitions)
        await until(() => lanes().reduce((a, b) => a + b, 0) === 16, {
          describe: 'each lane is read by one of them',
          timeout: 30_000,
        })
      },
    )

    await t.test('a command without a host waits, and does not delay others', async t => {
      const { start, open } = scene(t, backend)
      const first = await start()
      for (let i = 0; i < 32; i++)
        await first.send({ type: 'other', id: `o${i}` }, 'touch')
      await until(() => first.stats().inbox.failing === 32, { describe: 'they wait' })
      for (let i = 0; i < 32; i++)
        await first.send({ type: 'list', id: `l${i}` }, 'add', 'x')
      await until(() => first.stats().inbox.handled === 32, { describe: 'these do not' })
      await start({ actors: [list, other] })
      await done(await open(), 'a node that hosts them has come')
      for (let i = 0; i < 32; i++)
        if ((await first.store.head({ type: 'other', id: `o${i}` })).version !== 1)
          t.fail(`o${i} was not carried out once`)
    })

    await t.test('a rejected command is removed, and garbage is skipped', async t => {
      const { start, open } = scene(t, backend)
      const lines: string[] = []
      const opened = await open()
      const { inbox } = opened.queues
      const body = Buffer.from('garbage')
      await inbox.put({ key: ['0', 'list', 'a'], id: 'g1', headers: [], body })
      await inbox.put({ key: ['no', 'place'], id: 'g2', headers: [], body })
      const node = await start()
      await node.send({ type: 'list', id: 'a' }, 'never')
      await node.send({ type: 'list', id: 'a' }, 'add', 'after')
      await until(() => node.stats().inbox.handled === 2, {
        describe: 'both are handled',
      })
      t.equal(node.stats().inbox.rejected, 1)
      t.strictSame(await itemsOf(node, 'a'), ['after'])
      t.equal(await waiting(opened), 2, 'garbage is kept for operators')
      t.strictSame(lines, [])
    })

    await t.test(
      'I3 a command that was handled but not removed takes effect once, far outside the window',
      async t => {
        const { start, open } = scene(t, backend)
        const sender = await start({ serve: false })
        await sender.send({ type: 'list', id: 'a' }, 'add', 'once', {
          commandId: 'the one',
        })
        // As after a node that died between the commit and the removal.
        const ref = sender.spawn(list, 'a')
        await ref.ask('add', 'once', { commandId: 'the one' })
        for (let i = 0; i < 5; i++) await ref.ask('add', `later ${i}`)
        await start()
        await done(await open(), 'it is handled again and removed')
        t.equal((await itemsOf(sender, 'a')).filter(item => item === 'once').length, 1)
      },
    )

    await t.test('invalid commands are refused before they are stored', async t => {
      const { start, open } = scene(t, backend)
      const node = await start({ serve: false })
      const ref = node.spawn(list, 'a')
      await t.rejects(ref.send('grow' as 'add', 'x'), { code: 'unknown-command' })
      await t.rejects(ref.send('add', (() => {}) as unknown as string), {
        code: 'invalid-data',
      })
      await t.rejects(node.send({ type: 'list', id: '' }, 'add', 'x'), {
        code: 'invalid-actor-id',
      })
      await t.rejects(node.send({ type: 'list', id: 'a' }, '', 'x'), {
        code: 'invalid-command',
      })
      t.equal(await waiting(await open()), 0)
      await node.close()
      await t.rejects(ref.send('add', 'x'), { code: 'node-closed' })
    })
  })
