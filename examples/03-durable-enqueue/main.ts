// A job is enqueued in the same commit as the event that requests it, while no worker is running:
// no second write can be lost. The worker that starts later does each job once, and retries what
// fails on its first attempt.
//
// It runs on the embedded store, so there is nothing to set up; with `store: jetstream()` the shop
// and the worker can be processes on different machines.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  defineActor,
  defineReactor,
  defineTopic,
  embedded,
  event,
  publish,
  reject,
  send,
  startNode,
} from 'cairn-es'

const placed = defineTopic('orders.placed')

/** A job is an actor: a second request for the same job is a duplicate. */
const invoice = defineActor({
  type: 'invoice',
  initialState: { isPrinted: false },
  decide: {
    print: (state, { total }: { total: number }) =>
      state.isPrinted ? reject('printed') : event('printed', { total }),
  },
  evolve: { printed: () => ({ isPrinted: true }) },
})

const order = defineActor({
  type: 'order',
  publishes: [placed],
  initialState: { isPlaced: false },
  decide: {
    place: (state, { total }: { total: number }, { actor }) =>
      state.isPlaced
        ? reject('placed', 'It is placed already.')
        : [
            event('placed', { total }),
            send(invoice, actor.id, 'print', { total }), // handled by exactly one worker
            publish(placed, { order: actor.id, total }), // handled by every reactor that reads it
          ],
  },
  evolve: { placed: () => ({ isPlaced: true }) },
})

const dir = await mkdtemp(join(tmpdir(), 'cairn-enqueue-'))
// The failures below are on purpose; by default they would be logged to stderr.
const options = { namespace: 'shop', store: embedded({ dir }), log: false } as const

{
  await using shop = await startNode({ ...options, id: 'shop', actors: [order] })
  for (const [id, total] of [
    ['o-1', 30],
    ['o-2', 12],
  ] as const) {
    const { version } = await shop.spawn(order, id).ask('place', { total })
    console.log(`order ${id} is placed, version ${version}; its job waits in the commit`)
  }
  // The same request again, as after a timeout: nothing is enqueued twice.
  const again = await shop.spawn(order, 'o-1').ask('place', { total: 30 })
  if (!again.ok) console.log(`o-1 again: ${again.rejection.message}`)
}

// The shop has stopped. A worker without order definitions starts and finds the enqueued jobs.
const mailed = new Map<string, number>()
let allMailed = () => {}
const done = new Promise<void>(resolve => (allMailed = resolve))
const mailer = defineReactor({
  name: 'mailer',
  on: placed,
  retry: { first: 10 },
  handle({ id, data }, { attempt }) {
    const { total } = data as { order: string; total: number }
    if (total > 20 && attempt === 1) throw new Error('the mail server is busy')
    mailed.set(id, attempt)
    if (mailed.size === 2) allMailed()
  },
})
await using worker = await startNode({
  ...options,
  id: 'worker',
  actors: [invoice],
  reactors: [mailer],
})
await done
for (const id of [...mailed.keys()].toSorted())
  console.log(`mail for ${id} is sent, attempt ${mailed.get(id)}`)

for (const id of ['o-1', 'o-2'])
  for await (const { event: stored } of worker.spawn(invoice, id).watch({ from: 0 })) {
    console.log(`invoice ${id} is ${stored.type}, by command ${stored.commandId}`)
    break
  }

await worker.close()
await rm(dir, { recursive: true })
