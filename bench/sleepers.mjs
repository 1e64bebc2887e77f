// Sleeping counters, asked one after the other on a node that has room for one actor in memory: each of
// them wakes, and lets the one before go.
import { startNode } from 'cairn-es'
import { counter } from './actors.mjs'
import { verify } from './benchmark.mjs'
import { drive } from './drive.mjs'
import { backendAt } from './place.mjs'
import { untilIdle } from './wait.mjs'

/**
 * Starts the node, and hands it over when it has read the log; it is closed behind the work.
 *
 * @template Result
 * @param {import('./benchmark.mjs').Context} context
 * @param {string} namespace
 * @param {(node: import('cairn-es').Node) => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export const withSleepers = async (context, namespace, work) => {
  const store = backendAt(context)
  const node = await startNode({ namespace, store, actors: [counter], residentsMax: 1 })
  try {
    await untilIdle(context)
    return await work(node)
  } finally {
    await node.close()
  }
}

/**
 * Asks for the states of actors in turn.
 *
 * @param {import('cairn-es').Node} node
 * @param {object} options
 * @param {readonly import('cairn-es').ActorAddress[]} options.actors two or more
 * @param {{ ms: number } | { turns: number }} options.load
 * @param {{ version: number, sum: number }} options.expected of each of them
 * @param {0 | 1} options.awake how many may be awake at the beginning
 */
export const askSleepers = async (node, { actors, load, expected, awake }) => {
  const before = node.stats().actors.wakes
  const driven = await drive({
    workers: 1,
    ...load,
    step: async (_lane, turn) => {
      const actor = actors[turn % actors.length] ?? { type: 'counter', id: '' }
      const { version, state } = await node.state(actor)
      const { sum } = /** @type {{ sum: number }} */ (state)
      verify(
        version === expected.version && sum === expected.sum,
        () => `${actor.id} came to version ${version} of ${expected.version}, and ${sum}`,
      )
    },
  })
  const woken = node.stats().actors.wakes - before
  verify(
    woken <= driven.done && woken >= driven.done - awake,
    () => `${driven.done} answers were given by ${woken} wakes`,
  )
  return { ...driven, verified: driven.done }
}
