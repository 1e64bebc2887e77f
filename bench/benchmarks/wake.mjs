// How long a sleeping actor takes to answer, one after the other: its folded state is in its last
// commit, so however long its history is, it is one read. Against that read by hand.
import { counterCommit, counters } from '../counters.mjs'
import { driveRaw } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave, p50 } from '../interleave.mjs'
import { inFreshNamespace, partitions } from '../place.mjs'
import { rawLast, RawClient } from '../raw.mjs'
import { askSleepers, withSleepers } from '../sleepers.mjs'
import { logSubject } from 'cairn-es/bench'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const actors = counters(8)
const eventsPerCommit = 10

/**
 * @param {string} name
 * @param {number} events of each actor's history
 * @returns {import('../benchmark.mjs').Benchmark}
 */
const wake = (name, events) => ({
  name,
  unit: 'ms',
  goal: { atMost: 1.5 },
  ...(events > 1_000 && { extra: true }),
  about: `an actor with ${events.toLocaleString('en')} events answers, which was asleep, p50; baseline: a last-by-subject direct get, p50`,
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      context.progress(`writing ${actors.length} histories`)
      const event = counterCommit.events[0]
      const commit = {
        ...counterCommit,
        events: Array.from({ length: eventsPerCommit }, () => ({ type: '', ...event })),
      }
      const commits = events / eventsPerCommit
      await fill({ ...context, namespace, actors, commits, commit })
      const place = { namespace, version: events }
      // A replica may lag behind what was just written, and answers direct gets all the same.
      const isComplete = () => byHand({ ...context, ms: 1 }, place).then(...isSettled)
      await until('every history can be read', isComplete, context)
      const { sum } = counterCommit.state.value
      const expected = { version: events, sum }
      return withSleepers(context, namespace, node =>
        interleave(
          context,
          {
            baseline: () => byHand(context, place),
            subject: () =>
              askSleepers(node, { actors, load: { ms: context.ms }, expected, awake: 1 }),
          },
          p50,
        ),
      )
    }),
})

export const wakes = [
  wake('wake-10', 10),
  wake('wake-1k', 1_000),
  wake('wake-100k', 100_000),
]

const isSettled = /** @type {const} */ ([() => true, () => false])

/**
 * @param {Context} context
 * @param {{ namespace: string, version: number }} place
 */
const byHand = async ({ servers, ms }, { namespace, version }) => {
  const client = await RawClient.open(servers)
  try {
    const subjects = actors.map(actor => logSubject(namespace, actor, partitions))
    const driven = await driveRaw({
      workers: 1,
      ms,
      step: (_lane, turn, done) => {
        const subject = subjects[turn % subjects.length] ?? ''
        rawLast(client, namespace, subject, ({ headers }) => {
          const versions = headers?.get('Cairn-Versions') ?? ''
          const isRight = versions.endsWith(`-${version}`)
          done(isRight ? undefined : new Error(`${subject} is at version ${versions}`))
        })
      },
    })
    return { ...driven, verified: driven.done }
  } finally {
    await client.close()
  }
}
