// How long it takes from a commit that says a command to the commit of its target, against an
// ask of the same command by the caller itself.
import { defineActor, event, send, startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { backendAt, freshNamespace, removeNamespace } from '../place.mjs'
import { median, percentile } from '../stats.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const sender = defineActor({
  type: 'sender',
  initialState: {},
  decide: {
    pass: (_state, /** @type {{ to: string }} */ { to }) => [
      event('passed'),
      send(counter, to, 'add', { by: 1 }),
    ],
  },
  evolve: { passed: state => state },
})

const warmUp = 50

/** @type {import('../benchmark.mjs').Benchmark} */
export const carry = {
  name: 'carry',
  unit: 'ms',
  about:
    'from a commit to the commit of the actor that it sends a command to; baseline: an ask of that command',
  async run(context) {
    const samples = []
    for (let run = 1; run <= context.runs && !context.signal.aborted; run++) {
      context.progress(`run ${run} of ${context.runs}`)
      samples.push(await sample(context))
    }
    return samples
  },
}

/** @param {Context} context */
const sample = async context => {
  const namespace = freshNamespace()
  const store = backendAt(context)
  const node = await startNode({ namespace, store, actors: [counter, sender] })
  try {
    /** @type {(() => void) | undefined} */
    let arrived
    await node.subscribeToEventStored(({ actor }) => {
      if (actor.type === 'counter' && actor.id.startsWith('target')) arrived?.()
    })
    const from = node.spawn(sender, 'sender')
    const direct = node.spawn(counter, 'direct')
    /** @type {number[]} */
    const carried = []
    /** @type {number[]} */
    const asked = []
    let over = Infinity
    for (let i = 0; i <= warmUp || performance.now() < over; i++) {
      if (i === warmUp) over = performance.now() + 2 * context.ms
      const at = performance.now()
      await direct.ask('add', { by: 1 })
      if (i >= warmUp) asked.push(performance.now() - at)
      const there = new Promise(resolve => {
        arrived = () => resolve(undefined)
      })
      await from.ask('pass', { to: `target-${i % 100}` })
      const committed = performance.now()
      await there
      if (i >= warmUp) carried.push(performance.now() - committed)
    }
    let targets = 0
    for await (const record of node.store.readAll({ types: ['counter'] }))
      if (record.kind === 'commit' && record.actor.id !== 'direct') targets++
    verify(
      targets === carried.length + warmUp,
      () => `${carried.length + warmUp} commands were passed on, and ${targets} acted`,
    )
    return {
      value: median(carried),
      baseline: median(asked),
      medians: { p50: median(carried), p99: percentile(carried, 99) },
    }
  } finally {
    await node.close()
    await removeNamespace(context, namespace)
  }
}
