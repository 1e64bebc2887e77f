// Waits until a healed system has done what it owes: durable commands handled, timers fired, messages processed.
// A backlog takes the time that it takes; a system that makes no progress is given up, and the rest is left to the checker.

import type { Backend, Node } from 'cairn-es'

import { collector } from './actors.js'
import type { Journal } from './history.js'
import { consumeOnce, settleMessage } from './workloads/messages.js'
import { wait } from './workloads/workload.js'

/** Milliseconds without progress, and in all. */
const patience = 60_000
const patienceInAll = 900_000
/** Handlers work on this long after the queues are empty: their last messages are in progress. */
const quiet = 2_000

export async function settle(
  nodes: readonly Node[],
  backend: Backend,
  journal: Journal,
): Promise<void> {
  const progress = new Progress()
  for (const node of nodes) {
    await drainConsumer(node, journal, progress)
    const { namespace } = node
    const open = await backend.open({ namespace, nodeId: 'settle' })
    try {
      for (;;) {
        const inbox = await count(open.queues.inbox.read())
        const timers = await count(node.timers())
        if (inbox === 0 && timers === 0) break
        if (progress.hasEnded(`${inbox} ${timers} ${await open.store.lastPosition()}`))
          break
        await wait(200)
      }
      let last = -1
      for (let since = Date.now(); Date.now() - since < quiet;) {
        const position = await open.store.lastPosition()
        if (position !== last) since = Date.now()
        last = position
        if (progress.hasEnded(`${position}`)) break
        await wait(200)
      }
    } finally {
      await open.close()
    }
  }
}

/** Ends when what is seen has not changed for `patience`, or after `patienceInAll`. */
class Progress {
  readonly #startedAt = Date.now()
  #seen = ''
  #changedAt = Date.now()

  hasEnded(seen: string): boolean {
    const now = Date.now()
    if (seen !== this.#seen) this.#changedAt = now
    this.#seen = seen
    return now - this.#changedAt > patience || now - this.#startedAt > patienceInAll
  }
}

/** Pulls and acknowledges until nothing comes for longer than a lease lasts. */
async function drainConsumer(
  node: Node,
  journal: Journal,
  progress: Progress,
): Promise<void> {
  for (let last = Date.now(); Date.now() - last < collector.ackWait + quiet;) {
    const consumed = await consumeOnce(node, journal, { batch: 100, maxWait: 1_000 })
    if (consumed.length > 0) last = Date.now()
    for (const message of consumed) await settleMessage(node, journal, message, 'ack')
    if (progress.hasEnded(`${last}`)) return
  }
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found++
  return found
}
