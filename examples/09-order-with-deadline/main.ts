// Orders that must be paid in time. The deadline is a delay of a machine; it holds although the node
// that set it dies at once, and no node is running when it falls due.
//
// This program is both nodes: with ORDERS_DIR in its environment it is the one that dies.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { embedded, fromMachine, startNode } from 'cairn-es'
import { setup } from 'xstate'

const machine = setup({
  types: { events: {} as { type: 'place' } | { type: 'pay' } },
  delays: { reminderTime: 200, paymentTime: 700 },
}).createMachine({
  id: 'order',
  initial: 'open',
  states: {
    open: { on: { place: 'placed' } },
    placed: {
      initial: 'fresh',
      states: { fresh: { after: { reminderTime: 'reminded' } }, reminded: {} },
      after: { paymentTime: 'expired' },
      on: { pay: 'paid' },
    },
    paid: { type: 'final' },
    expired: { type: 'final' },
  },
})

const order = fromMachine(machine, {
  // A late reminder is worse than none, so it is skipped; a deadline must fire.
  late: timer => (timer.includes('reminderTime') ? 'skip' : 'fire'),
  lateAfter: 300,
})

if (process.env.ORDERS_DIR === undefined) await wait()
else await place(process.env.ORDERS_DIR)

async function place(dir: string): Promise<void> {
  const node = await startNode({
    namespace: 'orders',
    store: embedded({ dir }),
    actors: [order],
  })
  await node.spawn(order, 'o-1').ask('place')
  await node.spawn(order, 'o-2').ask('place')
  await node.spawn(order, 'o-2').ask('pay')
  process.kill(process.pid, 'SIGKILL')
}

async function wait(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-orders-'))
  const doomed = fork(fileURLToPath(import.meta.url), {
    env: { ...process.env, ORDERS_DIR: dir },
  })
  const [, signal] = (await once(doomed, 'exit')) as [unknown, string]
  console.log(`two orders were placed, and one paid; the node ended by ${signal}`)

  // No node is running when the first order's deadline passes.
  await new Promise(next => setTimeout(next, 800))

  const node = await startNode({
    namespace: 'orders',
    store: embedded({ dir }),
    actors: [order],
  })
  for await (const { state } of node.spawn(order, 'o-1').watch({ from: 2 }))
    if (state.status === 'done') break
  for (const id of ['o-1', 'o-2']) {
    const ref = node.spawn(order, id)
    const story: string[] = []
    for await (const event of ref.events())
      if (event.kind === 'event') story.push(event.type)
    const { state } = await ref.state()
    console.log(`${id} is ${JSON.stringify(state.value)}: ${story.join(', ')}`)
  }
  await node.close()
  await rm(dir, { recursive: true })
}
