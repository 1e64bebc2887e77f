// Many sleeping actors asked at once: none may fail, and a bound on what is read at a time holds.
import { startNode } from 'cairn-es'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counters } from '../counters.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { backendAt, inFreshNamespace, partitions } from '../place.mjs'
import { rawLast, RawClient } from '../raw.mjs'
import { logSubject } from 'cairn-es/bench'

/**
 * @typedef {import('../benchmark.mjs').Context} Context
 * @typedef {{ namespace: string, actors: import('cairn-es').ActorAddress[] }} Place
 */

/** @type {import('../benchmark.mjs').Benchmark} */
export const wakeStorm = {
  name: 'wake-storm',
  unit: 'commands/s',
  about:
    '10,000 sleeping actors (1,000 in quick runs) asked at once, each woken and its commit stored; baseline: one last-by-subject direct get each',
  run: context =>
    inFreshNamespace(context, async ({ namespace, store }) => {
      const actors = counters(context.quick ? 1_000 : 10_000)
      context.progress(`writing ${actors.length} histories`)
      await fill({ ...context, namespace, actors, commits: 1 })
      let storms = 0
      return interleave(context, {
        baseline: () => byHand(context, { namespace, actors }),
        subject: async () => {
          const driven = await storm(context, { namespace, actors })
          const versions = new Map(actors.map(({ id }) => [id, 1 + (storms + 1)]))
          storms++
          return { ...driven, verified: await checkVersions(store, versions) }
        },
      })
    }),
}

/**
 * @param {Context} context
 * @param {Place} place
 */
const storm = async (context, { namespace, actors }) => {
  const store = backendAt(context)
  const node = await startNode({ namespace, store, actors: [counter] })
  try {
    const driven = await drive({
      workers: actors.length,
      turns: 1,
      step: async worker => {
        const { id } = actors[worker] ?? { id: '' }
        const outcome = await node
          .spawn(counter, id)
          .ask('add', { by: 1 }, { timeout: 60_000 })
        verify(outcome.ok && !outcome.duplicate, () => `${id} was not carried out`)
      },
    })
    const { wakes } = node.stats().actors
    verify(wakes >= actors.length, () => `only ${wakes} of ${actors.length} actors slept`)
    return driven
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
      workers: actors.length,
      turns: 1,
      step: (worker, _turn, done) =>
        rawLast(client, namespace, subjects[worker] ?? '', ({ headers }) =>
          done(
            headers?.has('Cairn-Versions') ? undefined : new Error('nothing was there'),
          ),
        ),
    })
    return { ...driven, verified: driven.done }
  } finally {
    await client.close()
  }
}
