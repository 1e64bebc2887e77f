// Cold wakes a second: states of actors that no cache of a fresh node knows, 64 at a time,
// against one direct get of the last message of each subject.
import { startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { backendAt, inFreshNamespace, partitions } from '../place.mjs'
import { rawLast, RawClient } from '../raw.mjs'
import { logSubject } from '../../dist/nats/subjects.js'
import { until } from '../wait.mjs'

/**
 * @typedef {import('../benchmark.mjs').Context} Context
 * @typedef {{ namespace: string, actors: import('cairn-es').ActorAddress[] }} Place
 */

const lanes = 64
const commits = 10

/** @type {import('../benchmark.mjs').Benchmark} */
export const wake = {
  name: 'wake',
  unit: 'wakes/s',
  about: `actors with ${commits} commits woken by a fresh node, ${lanes} at a time; baseline: last-by-subject direct gets`,
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      const actors = counters(lanes * (context.quick ? 8 : 64))
      context.progress(`writing ${actors.length} histories`)
      await fill({ ...context, namespace, actors, commits })
      const place = { namespace, actors }
      // A replica may lag behind what was just written, and answers direct gets all the same.
      const isComplete = () => byHand(context, place).then(...isSettled)
      await until('every history can be read', isComplete, context)
      return interleave(context, {
        baseline: () => byHand(context, place),
        subject: () => throughNode(context, place),
      })
    }),
}

const isSettled = /** @type {const} */ ([() => true, () => false])

/**
 * @param {Context} context
 * @param {Place} place
 */
const throughNode = async (context, { namespace, actors }) => {
  const store = backendAt(context)
  const node = await startNode({ namespace, store, actors: [counter] })
  try {
    const { sum } = counterCommit.state.value
    const driven = await drive({
      lanes,
      turns: actors.length / lanes,
      step: async (lane, turn) => {
        const actor = actors[lane + lanes * turn] ?? { type: 'counter', id: '' }
        const { version, state } = await node.state(actor)
        verify(
          version === commits && /** @type {{ sum: number }} */ (state).sum === sum,
          () => `${actor.id} woke at version ${version} of ${commits}`,
        )
      },
    })
    const { wakes } = node.stats().actors
    verify(
      wakes === actors.length,
      () => `${actors.length} actors were to be woken, and ${wakes} were`,
    )
    return { ...driven, verified: driven.done }
  } finally {
    await node.close()
  }
}

/**
 * @param {Context} context
 * @param {Place} place
 */
const byHand = async (context, { namespace, actors }) => {
  const client = await RawClient.open(context.servers)
  try {
    const subjects = actors.map(actor => logSubject(namespace, actor, partitions))
    const driven = await driveRaw({
      lanes,
      turns: actors.length / lanes,
      step: (lane, turn, done) => {
        const subject = subjects[lane + lanes * turn] ?? ''
        rawLast(client, namespace, subject, ({ headers }) => {
          const versions = headers?.get('Cairn-Versions')
          const isRight = versions === `${commits}-${commits}`
          done(isRight ? undefined : new Error(`${subject} is at version ${versions}`))
        })
      },
    })
    return { ...driven, verified: driven.done }
  } finally {
    await client.close()
  }
}
