// Waits until a healed system has done what it owes: durable commands handled, timers fired, messages processed.
// Gives up after a time, and leaves the rest to the checker.

import type { Backend, Node } from 'cairn-es'

import { collector } from './actors.js'
import type { Journal } from './history.js'
import { consumeOnce, settleMessage } from './workloads/messages.js'
import { wait } from './workloads/workload.js'

const patience = 60_000
/** Handlers work on this long after the queues are empty: their last messages are in progress. */
const quiet = 2_000

export async function settle(
  nodes: readonly Node[],
  backend: Backend,
  journal: Journal,
): Promise<void> {
  const deadline = Date.now() + patience
  for (const node of nodes) {
    await drainConsumer(node, journal, deadline)
    const { namespace } = node
    const open = await backend.open({ namespace, nodeId: 'settle' })
    try {
      for (;;) {
        const inbox = await count(open.queues.inbox.read())
        const timers = await count(node.timers())
        if (inbox === 0 && timers === 0) break
        if (Date.now() > deadline) break
        await wait(200)
      }
      let last = -1
      for (let since = Date.now(); Date.now() - since < quiet;) {
        const position = await open.store.lastPosition()
        if (position !== last) since = Date.now()
        last = position
        if (Date.now() > deadline) break
        await wait(200)
      }
    } finally {
      await open.close()
    }
  }
}

/** Pulls and acknowledges until nothing comes for longer than a lease lasts. */
async function drainConsumer(
  node: Node,
  journal: Journal,
  deadline: number,
): Promise<void> {
  for (let last = Date.now(); Date.now() - last < collector.ackWait + quiet;) {
    const consumed = await consumeOnce(node, journal, { batch: 100, maxWait: 1_000 })
    if (consumed.length > 0) last = Date.now()
    for (const message of consumed) await settleMessage(node, journal, message, 'ack')
    if (Date.now() > deadline) return
  }
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found++
  return found
}
