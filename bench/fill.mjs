// Histories to read: many actors with as many commits each, written as fast as possible.
import { counterCommit } from './counters.mjs'
import { driveRaw } from './drive.mjs'
import { partitions } from './place.mjs'
import { RawAppender, RawClient } from './raw.mjs'

/** @typedef {ConstructorParameters<typeof RawAppender>[0]['commit']} RawCommit */

/**
 * @param {object} options
 * @param {string} options.servers
 * @param {string} options.namespace whose stream exists
 * @param {readonly import('cairn-es').ActorAddress[]} options.actors without events so far
 * @param {number} options.commits for every actor
 * @param {RawCommit} [options.commit] what each of them is. Default: one event of a counter
 */
export const fill = async ({
  servers,
  namespace,
  actors,
  commits,
  commit = counterCommit,
}) => {
  const client = await RawClient.open(servers)
  try {
    const appender = new RawAppender({
      client,
      namespace,
      actors,
      partitions,
      commit,
    })
    const workers = Math.min(256, actors.length)
    await driveRaw({
      workers,
      turns: Math.ceil(actors.length / workers) * commits,
      // All commits of one actor, then of the worker's next.
      step: (worker, turn, done) => {
        const index = worker + workers * Math.floor(turn / commits)
        if (index < actors.length) appender.append(index, done)
        else setImmediate(done)
      },
    })
  } finally {
    await client.close()
  }
}
