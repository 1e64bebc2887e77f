// Histories to read: many actors with as many commits each, written as fast as possible.
import { counterCommit } from './counters.mjs'
import { driveRaw } from './drive.mjs'
import { partitions } from './place.mjs'
import { RawAppender, RawClient } from './raw.mjs'

/**
 * @param {object} options
 * @param {string} options.servers
 * @param {string} options.namespace whose stream exists
 * @param {readonly import('cairn-es').ActorAddress[]} options.actors without events so far
 * @param {number} options.commits of one event each, for every actor
 */
export const fill = async ({ servers, namespace, actors, commits }) => {
  const client = await RawClient.open(servers)
  try {
    const appender = new RawAppender({
      client,
      namespace,
      actors,
      partitions,
      commit: counterCommit,
    })
    const lanes = Math.min(256, actors.length)
    await driveRaw({
      lanes,
      turns: Math.ceil(actors.length / lanes) * commits,
      // All commits of one actor, then of the lane's next.
      step: (lane, turn, done) => {
        const index = lane + lanes * Math.floor(turn / commits)
        if (index < actors.length) appender.append(index, done)
        else setImmediate(done)
      },
    })
  } finally {
    await client.close()
  }
}
