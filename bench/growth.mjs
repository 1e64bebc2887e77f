// `--growth`: what one piece of work costs while something around it grows. The exponent says how:
// 0 is flat, 1 is as fast as what grows. Each figure is the median of the runs.
import { startNode } from 'cairn-es'
import { counter } from './actors.mjs'
import { verify } from './benchmark.mjs'
import { counterCommit, counters } from './counters.mjs'
import { drive } from './drive.mjs'
import { fill } from './fill.mjs'
import { backendAt, freshNamespace, inFreshNamespace, removeNamespace } from './place.mjs'
import { memoryOf } from './processes.mjs'
import { withSleepers } from './sleepers.mjs'
import { median, percentile, round } from './stats.mjs'
import { table } from './table.mjs'

/**
 * @typedef {import('./benchmark.mjs').Context} Context
 * @typedef {import('./servers.mjs').Servers} Servers
 *
 * @typedef {object} Growth what one piece of work cost at each size
 * @property {string} growth name of what grows
 * @property {string} work
 * @property {string} unit
 * @property {readonly number[]} sizes
 * @property {readonly number[]} costs
 * @property {number} exponent of the cost over the size
 *
 * @typedef {Readonly<Record<string, number>>} Costs by the name of the work, in its unit
 */

const units = /** @type {Readonly<Record<string, string>>} */ ({
  append: 'µs',
  'append, one at a time': 'ms',
  'wake by the last commit': 'ms',
  'hydrate from all events': 'ms',
  'command until all nodes know': 'ms',
  'memory of the server': 'bytes each',
})

/**
 * @param {Context & { fresh: (() => Promise<Servers>) | undefined }} context `fresh` starts servers like those that
 *   are named, where they are not the user's own
 * @returns {Promise<Growth[]>}
 */
export const measureGrowth = async context => {
  const { quick } = context
  /** @type {readonly [string, readonly number[], (at: typeof context, size: number) => Promise<Costs>][]} */
  const growths = [
    [
      'actors',
      quick ? [1_000, 20_000] : [1_000, 100_000, 1_000_000],
      // What a server has kept of other work is not in the way of its memory's figure.
      (context, size) => onFreshServers(context, there => amongActors(there, size)),
    ],
    ['events of an actor', quick ? [100, 2_000] : [100, 10_000, 100_000], withHistory],
    ['nodes', quick ? [1, 3] : [1, 3, 5], amongNodes],
    ['namespaces', quick ? [1, 10] : [1, 10, 100], amongNamespaces],
  ]
  const found = []
  for (const [growth, sizes, measure] of growths) {
    /** @type {Costs[]} */
    const costs = []
    for (const size of sizes) {
      context.signal.throwIfAborted()
      context.progress(`${size.toLocaleString('en')} ${growth}`)
      costs.push(await measure(context, size))
    }
    for (const work of Object.keys(costs[0] ?? {})) {
      const each = costs.map(one => round(one[work] ?? NaN))
      const unit = units[work] ?? ''
      const exponent = round(slope(sizes, each))
      found.push({ growth, work, unit, sizes, costs: each, exponent })
    }
  }
  return found
}

/** @param {readonly Growth[]} growths */
export const growthTable = growths =>
  table(
    ['work', 'unit', 'grows', 'cost', 'exponent'],
    growths.map(({ growth, work, unit, sizes, costs, exponent }) => [
      work,
      unit,
      `${sizes.map(size => size.toLocaleString('en')).join(' → ')} ${growth}`,
      costs.map(cost => cost.toLocaleString('en')).join(' → '),
      String(exponent),
    ]),
  )

/**
 * The exponent that fits best: the slope of the logarithms.
 *
 * @param {readonly number[]} sizes
 * @param {readonly number[]} costs
 */
export const slope = (sizes, costs) => {
  const x = sizes.map(Math.log)
  const y = costs.map(Math.log)
  const [meanX, meanY] = [mean(x), mean(y)]
  const over = x.reduce(
    (sum, value, i) => sum + (value - meanX) * ((y[i] ?? 0) - meanY),
    0,
  )
  return over / x.reduce((sum, value) => sum + (value - meanX) ** 2, 0)
}

const mean = (/** @type {readonly number[]} */ values) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * @param {Parameters<typeof measureGrowth>[0]} context
 * @param {(context: Context) => Promise<Costs>} work
 */
const onFreshServers = async ({ fresh, ...context }, work) => {
  if (fresh === undefined) return work(context)
  const servers = await fresh()
  try {
    const { urls, serverPids } = servers
    return await work({ ...context, servers: urls, serverPids })
  } finally {
    await servers.close()
  }
}

/**
 * @param {Context} context
 * @param {number} size
 */
const amongActors = (context, size) =>
  inFreshNamespace(context, async ({ namespace, store }) => {
    const before = memoryOf(context.serverPids)
    const actors = counters(size)
    await fill({ ...context, namespace, actors, commits: 1 })
    const memory = (memoryOf(context.serverPids) - before) / size
    const versions = actors.map(() => 1)
    const append = await medianOf(context, async () => {
      const { rate } = await drive({
        workers: 64,
        ms: context.ms,
        step: async (worker, turn) => {
          // All over the actors, each worker its own.
          const i = (worker + 64 * ((turn * 7_919) % Math.ceil(size / 64))) % size
          const expected = versions[i] ?? 0
          const { events, state } = counterCommit
          const actor = { type: 'counter', id: `c${i}` }
          const result = await store.append(actor, events, { expected, state })
          if (result.ok) versions[i] = result.version
        },
      })
      return 1_000_000 / rate
    })
    return withSleepers(context, namespace, async node => {
      let at = 0
      const next = () => `c${(at += 7_919) % size}`
      const wake = await medianOf(context, () =>
        p50(context, async () => {
          const { version } = await node.state({ type: 'counter', id: next() })
          verify(version >= 1, () => 'an actor is not there')
        }),
      )
      return {
        append,
        'wake by the last commit': wake,
        'command until all nodes know': await noticeTo(context, node, [node], next),
        'memory of the server': memory,
      }
    })
  })

/**
 * @param {Context} context
 * @param {number} size
 */
const withHistory = (context, size) =>
  inFreshNamespace(context, async ({ namespace }) => {
    const { state: _, ...bare } = counterCommit
    const [folded, unfolded] = [
      counters(4),
      counters(4).map(one => ({ ...one, id: `u${one.id}` })),
    ]
    await fill({ ...context, namespace, actors: folded, commits: size })
    await fill({ ...context, namespace, actors: unfolded, commits: size, commit: bare })
    return withSleepers(context, namespace, async node => {
      const state = async (/** @type {string} */ id) => {
        const { version } = await node.state({ type: 'counter', id })
        verify(version === size, () => `${id} is at version ${version} of ${size}`)
      }
      let at = 0
      return {
        'wake by the last commit': await medianOf(context, () =>
          p50(context, () => state(`c${at++ % 4}`)),
        ),
        'hydrate from all events': await medianOf(context, async () => {
          const { latencies } = await drive({
            workers: 1,
            turns: 4,
            step: () => state(`uc${at++ % 4}`),
          })
          return percentile(latencies, 50)
        }),
      }
    })
  })

/**
 * @param {Context} context
 * @param {number} size
 */
const amongNodes = async (context, size) => {
  const namespace = freshNamespace()
  const store = backendAt(context)
  const nodes = []
  for (let i = 0; i < size; i++)
    nodes.push(await startNode({ namespace, store, actors: i === 0 ? [counter] : [] }))
  const [writer] = nodes
  try {
    verify(writer !== undefined, () => 'there is no node')
    let at = 0
    const next = () => `c${at++ % 100}`
    return {
      'append, one at a time': await medianOf(context, () =>
        appendOf(context, writer.store),
      ),
      'command until all nodes know': await noticeTo(context, writer, nodes, next),
    }
  } finally {
    await Promise.all(nodes.map(node => node.close()))
    await removeNamespace(context, namespace)
  }
}

/**
 * @param {Context} context
 * @param {number} size
 */
const amongNamespaces = async (context, size) => {
  const names = Array.from({ length: size }, freshNamespace)
  const backend = backendAt(context)
  const open = []
  try {
    for (const namespace of names)
      open.push(await backend.open({ namespace, nodeId: 'bench' }))
    const last = open.at(-1)
    verify(last !== undefined, () => 'there is no namespace')
    return {
      'append, one at a time': await medianOf(context, () =>
        appendOf(context, last.store),
      ),
    }
  } finally {
    await Promise.all(open.map(one => one.close()))
    for (const namespace of names) await removeNamespace(context, namespace)
  }
}

/**
 * @param {Context} context
 * @param {import('cairn-es/store').EventStore} store
 */
const appendOf = (context, store) =>
  p50(context, async turn => {
    const actor = { type: 'fresh', id: `${performance.now()}-${turn}` }
    const result = await store.append(actor, counterCommit.events, { expected: 0 })
    verify(result.ok, () => 'a fresh actor met a conflict')
  })

/**
 * From a command to the moment when it is answered, and the last of the nodes has heard of its commit.
 *
 * @param {Context} context
 * @param {import('cairn-es').Node} writer
 * @param {readonly import('cairn-es').Node[]} nodes
 * @param {() => string} next the id of the actor to write to
 */
const noticeTo = async (context, writer, nodes, next) => {
  let missing = 0
  let heard = () => {}
  const subscriptions = await Promise.all(
    nodes.map(node =>
      node.subscribeToEventStored(() => {
        if (--missing === 0) heard()
      }),
    ),
  )
  try {
    return await medianOf(context, async () => {
      /** @type {number[]} */
      const after = []
      await drive({
        workers: 1,
        ms: context.ms,
        step: async () => {
          missing = nodes.length
          const all = new Promise(resolve => {
            heard = () => resolve(undefined)
          })
          const asked = performance.now()
          await writer.spawn(counter, next()).ask('add', { by: 1 })
          await all
          after.push(performance.now() - asked)
        },
      })
      return percentile(after, 50)
    })
  } finally {
    await Promise.all(subscriptions.map(one => one.unsubscribe()))
  }
}

/**
 * @param {Context} context
 * @param {(turn: number) => Promise<void>} work
 */
const p50 = async ({ ms }, work) => {
  const { latencies } = await drive({ workers: 1, ms, step: (_lane, turn) => work(turn) })
  return percentile(latencies, 50)
}

/**
 * @param {Context} context
 * @param {() => Promise<number>} run
 */
const medianOf = async ({ runs }, run) => {
  await run()
  const figures = []
  for (let i = 0; i < runs; i++) figures.push(await run())
  return median(figures)
}
