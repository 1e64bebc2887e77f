// How long an actor takes to answer whose commits carry no folded state: all of its events are read
// and folded. Against batched direct gets of them by hand, decoded and checked.
import { unpack } from 'msgpackr'
import { logSubject } from 'cairn-es/bench'
import { verify } from '../benchmark.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave, p50 } from '../interleave.mjs'
import { inFreshNamespace, partitions } from '../place.mjs'
import { RawClient, rawRead, valueIn } from '../raw.mjs'
import { askSleepers, withSleepers } from '../sleepers.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actors = counters(4)
/** Commits that each half of a run reads, at least; a quick one a quarter of it. */
const commitsRead = 32_000

/**
 * @param {string} name
 * @param {number} commits of one event each
 * @returns {import('../benchmark.mjs').Benchmark}
 */
const hydrate = (name, commits) => ({
  name,
  unit: 'ms',
  goal: { atMost: 1.2 },
  ...(commits > 1_000 && { extra: true }),
  about: `an actor answers by replaying its ${commits.toLocaleString('en')} commits, p50; baseline: batched direct gets of them, decoded, p50`,
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      context.progress(`writing ${actors.length} histories`)
      const { state: _, ...commit } = counterCommit
      await fill({ ...context, namespace, actors, commits, commit })
      const turns = Math.max(
        2,
        Math.ceil(commitsRead / (context.quick ? 4 : 1) / commits),
      )
      const isComplete = async () =>
        (await byHand(context, namespace, actors.length)).isWhole(commits)
      await until('every history can be read', isComplete, context)
      const expected = { version: commits, sum: commits }
      return withSleepers(context, namespace, node =>
        interleave(
          context,
          {
            baseline: () => byHand(context, namespace, turns),
            subject: () =>
              askSleepers(node, { actors, load: { turns }, expected, awake: 0 }),
          },
          p50,
        ),
      )
    }),
})

export const hydrates = [hydrate('hydrate-1k', 1_000), hydrate('hydrate-10k', 10_000)]

/**
 * @param {Context} context
 * @param {string} namespace
 * @param {number} turns
 */
const byHand = async ({ servers }, namespace, turns) => {
  const client = await RawClient.open(servers)
  try {
    /** @type {Set<number>} */
    const lengths = new Set()
    const driven = await drive({
      workers: 1,
      turns,
      step: async (_lane, turn) => {
        const actor = actors[turn % actors.length] ?? { type: 'counter', id: '' }
        const subject = logSubject(namespace, actor, partitions)
        let events = 0
        await rawRead(client, namespace, subject, ({ data }, headers) => {
          const { events: list } = unpack(data)
          events += list.length
          const isNext = valueIn(headers, 'Cairn-Versions') === `${events}-${events}`
          verify(isNext, () => `${subject} does not continue with version ${events}`)
        })
        lengths.add(events)
      },
    })
    const isWhole = (/** @type {number} */ commits) =>
      lengths.size === 1 && lengths.has(commits)
    return { ...driven, verified: driven.done, isWhole }
  } finally {
    await client.close()
  }
}
