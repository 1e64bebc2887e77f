// A fresh namespace for one half of a run, and its end.
import { jetstream } from 'cairn-es'
import { connect } from 'nats'
import { defaultPartitions } from 'cairn-es/bench'

/** @typedef {Pick<import('./benchmark.mjs').Context, 'servers' | 'replicas'>} Where */

let made = 0

/** Lanes of a namespace's log, as Cairn makes it unless told otherwise. */
export const partitions = defaultPartitions

/** The backend that a user would have. */
export const backendAt = (/** @type {Where} */ { servers, replicas }) =>
  jetstream({ servers, replicas })

/** A namespace that was not used before. */
export const freshNamespace = () => `bench-${process.pid}-${++made}`

/**
 * Opens a fresh namespace, hands it to `work`, and removes its streams.
 *
 * @template Result
 * @param {Where} where
 * @param {(open: import('cairn-es/store').OpenNamespace) => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export const inFreshNamespace = async (where, work) => {
  const namespace = freshNamespace()
  const open = await backendAt(where).open({ namespace, nodeId: 'bench' })
  try {
    return await work(open)
  } finally {
    await open.close()
    await removeNamespace(where, namespace)
  }
}

/**
 * Deletes every stream of a namespace.
 *
 * @param {Where} where
 * @param {string} namespace
 */
export const removeNamespace = async ({ servers }, namespace) => {
  const connection = await connect({ servers: servers.split(',') })
  try {
    const manager = await connection.jetstreamManager()
    const isIts = new RegExp(`(^|_)CAIRN_${namespace}(_|$)`)
    const names = []
    for await (const name of manager.streams.names())
      if (isIts.test(name)) names.push(name)
    for (const name of names) await manager.streams.delete(name)
  } finally {
    await connection.close()
  }
}
