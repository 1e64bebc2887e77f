// Memory of an idle actor that is kept awake, beyond its own state.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { fill } from '../fill.mjs'
import { backendAt, inFreshNamespace } from '../place.mjs'

/** What an actor may take: the goal that the figure is held against. */
const allowed = 1_536

/** @type {import('../benchmark.mjs').Benchmark} */
export const resident = {
  name: 'resident',
  unit: 'bytes',
  goal: { atMost: 1 },
  about: `heap of an idle actor in memory with a state of one number; baseline: ${allowed} bytes, the goal`,
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      const actors = counters(context.quick ? 2_000 : 10_000)
      context.progress(`writing ${actors.length} histories`)
      await fill({ ...context, namespace, actors, commits: 1 })
      const samples = []
      for (let run = 1; run <= context.runs && !context.signal.aborted; run++) {
        context.progress(`run ${run} of ${context.runs}`)
        const node = await startNode({
          namespace,
          store: backendAt(context),
          actors: [counter],
          cache: { entries: 1 },
        })
        try {
          // What the first ones need once is not an actor's.
          await wakeAll(node, actors.slice(0, 100))
          const before = heapUsed()
          await wakeAll(node, actors)
          const { residents } = node.stats().actors
          verify(
            residents === actors.length,
            () => `${actors.length} actors were to be awake, and ${residents} are`,
          )
          const value = (heapUsed() - before) / (actors.length - 100)
          samples.push({ value, baseline: allowed, sums: { verified: residents } })
        } finally {
          await node.close()
        }
      }
      return samples
    }),
}

/**
 * @param {import('cairn-es').Node} node
 * @param {readonly import('cairn-es').ActorAddress[]} actors
 */
const wakeAll = async (node, actors) => {
  for (let i = 0; i < actors.length; i += 256)
    await Promise.all(actors.slice(i, i + 256).map(actor => node.state(actor)))
}

const heapUsed = () => {
  setFlagsFromString('--expose-gc')
  const collect = /** @type {() => void} */ (runInNewContext('gc'))
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
