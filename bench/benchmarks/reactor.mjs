// Events a second through a reactor of one node, from the first one on, each settled before it is
// counted. Against a durable pull consumer of the client library that acknowledges each message.
import { defineReactor, eventsOf, startNode } from 'cairn-es'
import { nuid } from 'nats'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { asOnePiece } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { backendAt, inFreshNamespace } from '../place.mjs'
import { pullAll } from '../pull.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actors = counters(1_000)
const commitsOf = (/** @type {Context} */ { quick }) => (quick ? 5 : 30)

/** @type {import('../benchmark.mjs').Benchmark} */
export const reactor = {
  name: 'reactor',
  unit: 'events/s',
  goal: { atLeast: 0.6 },
  about:
    'events of 1,000 actors through a reactor that does nothing; baseline: a durable pull consumer of them, each acknowledged',
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      const commits = commitsOf(context)
      context.progress(`writing ${actors.length * commits} commits`)
      await fill({ ...context, namespace, actors, commits })
      const total = actors.length * commits
      return interleave(context, {
        baseline: () => byHand(context, namespace, total),
        subject: () => throughReactor(context, namespace, total),
      })
    }),
}

/**
 * @param {Context} context
 * @param {string} namespace
 * @param {number} total
 */
const throughReactor = async (context, namespace, total) => {
  const store = backendAt(context)
  /** @type {Map<string, number>} */
  const versions = new Map()
  let [handled, start, end] = [0, 0, 0]
  const idle = defineReactor({
    name: `bench-${nuid.next()}`,
    on: eventsOf(counter),
    handle({ data: { actor, version } }) {
      if (handled === 0) start = performance.now()
      const before = versions.get(actor.id) ?? 0
      verify(
        version === before + 1,
        () => `${actor.id}: event ${version} came after ${before}`,
      )
      versions.set(actor.id, version)
      if (++handled === total) end = performance.now()
    },
  })
  const node = await startNode({ namespace, store, reactors: [idle] })
  try {
    const isDone = () => handled >= total
    await until(`${total} events are handled`, isDone, { ...context, timeout: 60_000 })
    verify(handled === total, () => `${total} events were handled ${handled} times`)
    return asOnePiece(total, end - start)
  } finally {
    await node.close()
  }
}

/**
 * @param {Context} context
 * @param {string} namespace
 * @param {number} total
 */
const byHand = async (context, namespace, total) => {
  const options = { total, batch: 1_000 }
  const { fromFirst } = await pullAll(context, namespace, options)
  return asOnePiece(total, fromFirst)
}
