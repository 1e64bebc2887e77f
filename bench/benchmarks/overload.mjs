// Offered more than can be handled: how much is still answered, and how fast.
import { verify } from '../benchmark.mjs'
import { startNodeProcess } from '../node-process.mjs'
import { freshNamespace, removeNamespace } from '../place.mjs'
import { startFlood } from '../flood-process.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

/** What is offered, as a multiple of the capacity. */
const factors = [0.5, 1, 2, 5, 10]
/** Work under way while the capacity is measured, over all processes. */
const pending = 512
const timeout = 5_000

/**
 * @param {'ask' | 'append' | 'publish'} kind
 * @param {{ processes: number, isInside?: boolean }} where `isInside`: the process that offers hosts the actors
 * @param {string} about
 * @param {number} goal
 * @returns {import('../benchmark.mjs').Benchmark}
 */
const overload = (kind, { processes, isInside = false }, about, goal) => ({
  name: `overload-${kind}${isInside ? '-inside' : ''}`,
  extra: true,
  unit: `${kind}s/s`,
  goal: { atLeast: goal },
  about,
  async run(context) {
    const namespace = freshNamespace()
    const { servers, signal } = context
    const ms = context.quick ? 2_000 : 5_000
    const host =
      kind === 'ask' && !isInside
        ? await startNodeProcess({ id: 'host', namespace, servers, signal })
        : undefined
    const floods = Array.from({ length: processes }, (_, i) =>
      startFlood({ kind, namespace, servers: isInside ? '' : servers, id: `flood-${i}` }),
    )
    try {
      const offer = (/** @type {number} */ rate, duration = ms) =>
        offerAll(floods, { rate, ms: duration, timeout, pending: pending / processes })
      await Promise.all(floods.map(({ ready }) => ready))
      await offer(0, ms / 2)
      const { perSecond: capacity } = await offer(0)
      context.progress(`capacity ${Math.round(capacity)} a second`)
      /** @type {Record<string, number>} */
      const medians = {}
      let value = NaN
      for (const factor of factors) {
        const came = await offer(capacity * factor)
        value = came.perSecond
        context.progress(
          `${factor}x: offered ${came.offered}, ${Math.round(value)} a second (${(value / capacity).toFixed(2)}), ` +
            `p50 ${Math.round(came.p50)} ms, p99 ${Math.round(came.p99)} ms, ` +
            `${Math.round(came.memory / 2 ** 20)} MiB, ${JSON.stringify(came.errors)}`,
        )
        medians[`x${factor}`] = value / capacity
        medians[`x${factor}-p50`] = came.p50
        medians[`x${factor}-p99`] = came.p99
        medians[`x${factor}-MiB`] = came.memory / 2 ** 20
      }
      const after = await offer(capacity / 4, 5_000)
      verify(
        Object.keys(after.errors).length === 0,
        () => `after the overload calls failed: ${JSON.stringify(after.errors)}`,
      )
      medians['after-p99'] = after.p99
      return [{ value, baseline: capacity, medians }]
    } finally {
      for (const flood of floods) await flood.stop()
      await host?.kill()
      if (!isInside) await removeNamespace(context, namespace)
    }
  },
})

/**
 * @param {readonly import('../flood-process.mjs').Flood[]} floods
 * @param {import('../flood-process.mjs').Load} load
 */
const offerAll = async (floods, { rate, ...load }) => {
  const all = await Promise.all(
    floods.map(flood => flood.offer({ ...load, rate: rate / floods.length })),
  )
  /** @type {Record<string, number>} */
  const errors = {}
  for (const one of all)
    for (const [code, count] of Object.entries(one.errors))
      errors[code] = (errors[code] ?? 0) + count
  const sum = (/** @type {(one: (typeof all)[number]) => number} */ figure) =>
    all.reduce((total, one) => total + figure(one), 0)
  return {
    offered: sum(one => one.offered),
    perSecond: sum(one => one.perSecond),
    memory: sum(one => one.memory),
    p50: Math.max(...all.map(one => one.p50)),
    p99: Math.max(...all.map(one => one.p99)),
    errors,
  }
}

export const overloads = [
  overload(
    'ask',
    { processes: 2 },
    'commands to 1,000 actors of another process, offered by two at 10 times the capacity; baseline: the capacity',
    0.8,
  ),
  overload(
    'ask',
    { processes: 1, isInside: true },
    'commands to 1,000 actors of the same process in memory, offered at 10 times the capacity; baseline: the capacity',
    0.25,
  ),
  overload(
    'append',
    { processes: 2 },
    'appends to 50,000 actors each, offered by two processes at 10 times the capacity; baseline: the capacity',
    0.8,
  ),
  overload(
    'publish',
    { processes: 2 },
    'messages of plain code, offered by two processes at 10 times the capacity; baseline: the capacity',
    0.8,
  ),
]
