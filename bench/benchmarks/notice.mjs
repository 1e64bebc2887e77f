// How long another node takes to learn of a commit: from the moment when the writer is told that it
// is stored to the moment when the other's version cache is raised. Against a core NATS message
// from one connection to another. Both ends are in this process, so one clock counts.
import { startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { interleave, p50 } from '../interleave.mjs'
import { backendAt, freshNamespace, removeNamespace } from '../place.mjs'
import { RawClient } from '../raw.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actors = counters(100)

/** @type {import('../benchmark.mjs').Benchmark} */
export const notice = {
  name: 'notice',
  unit: 'ms',
  goal: { atMost: 2 },
  about:
    "from a commit's acknowledgement to the raised version cache of another node, p50; baseline: a core NATS message from one connection to another, p50",
  async run(context) {
    const namespace = freshNamespace()
    const store = backendAt(context)
    const writer = await startNode({ namespace, store, actors: [counter] })
    const peer = await startNode({ namespace, store })
    const [from, to] = [
      await RawClient.open(context.servers),
      await RawClient.open(context.servers),
    ]
    try {
      return await interleave(
        context,
        {
          baseline: () => byHand(context, { from, to, namespace }),
          subject: () => throughNodes(context, { writer, peer }),
        },
        p50,
      )
    } finally {
      await Promise.all([from.close(), to.close(), writer.close(), peer.close()])
      await removeNamespace(context, namespace)
    }
  },
}

/**
 * @param {Context} context
 * @param {{ writer: import('cairn-es').Node, peer: import('cairn-es').Node }} nodes
 */
const throughNodes = async ({ ms }, { writer, peer }) => {
  /** @type {number[]} */
  const latencies = []
  /** @type {((at: number) => void) | undefined} */
  let heard
  // The node itself takes a notice in before it hands it on.
  const subscription = await peer.subscribeToEventStored(() => heard?.(performance.now()))
  try {
    const driven = await drive({
      workers: 1,
      ms,
      step: async (_lane, turn) => {
        const actor = actors[turn % actors.length] ?? { type: 'counter', id: '' }
        const raised = new Promise(resolve => {
          heard = resolve
        })
        const { version } = await writer.spawn(counter, actor.id).ask('add', { by: 1 })
        const told = performance.now()
        const at = /** @type {number} */ (await raised)
        const known = peer.store.cachedVersion(actor)
        verify(
          known === version,
          () => `${actor.id} is at version ${version}, and the other knows ${known}`,
        )
        // It may know sooner than who has written it.
        latencies.push(Math.max(0, at - told))
      },
    })
    return { ...driven, latencies, verified: driven.done }
  } finally {
    await subscription.unsubscribe()
  }
}

/**
 * @param {Context} context
 * @param {{ from: RawClient, to: RawClient, namespace: string }} state
 */
const byHand = async ({ ms }, { from, to, namespace }) => {
  const subject = `bench.${namespace}.notice`
  const body = new Uint8Array(120)
  /** @type {(() => void) | undefined} */
  let heard
  const stop = await to.subscribe(subject, () => heard?.())
  try {
    const driven = await drive({
      workers: 1,
      ms,
      step: () =>
        new Promise(resolve => {
          heard = resolve
          from.send(subject, body)
        }),
    })
    return { ...driven, verified: driven.done }
  } finally {
    stop()
  }
}
