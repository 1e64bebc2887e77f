// Events a second through `store.readAll`, decoded, against the same log read in batched direct
// gets and not decoded.
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { inFreshNamespace } from '../place.mjs'
import { RawClient, rawReadAll } from '../raw.mjs'
import { until } from '../wait.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const commits = 100

/** @type {import('../benchmark.mjs').Benchmark} */
export const replay = {
  name: 'replay',
  unit: 'events/s',
  about: 'the whole log read and decoded; baseline: batched direct gets, not decoded',
  run: context =>
    inFreshNamespace(context, async ({ namespace, store }) => {
      const actors = counters(context.quick ? 100 : 1_000)
      const total = actors.length * commits
      context.progress(`writing ${total} commits`)
      await fill({ ...context, namespace, actors, commits })
      const isComplete = async () => (await byHand(context, namespace)).done === total
      await until('the whole log can be read', isComplete, context)
      return interleave(context, {
        baseline: () => byHand(context, namespace),
        subject: () => throughStore(store, total),
      })
    }),
}

/**
 * @param {import('cairn-es').EventStore} store
 * @param {number} total
 */
const throughStore = async (store, total) => {
  const start = performance.now()
  let events = 0
  for await (const record of store.readAll()) {
    verify(record.kind === 'commit', () => 'the log holds a record that is no commit')
    events += record.events.length
    verify(
      record.position === events,
      () => `position ${record.position} came as event ${events}`,
    )
  }
  verify(events === total, () => `${events} of ${total} events were read`)
  return measured(events, performance.now() - start)
}

/**
 * @param {Context} context
 * @param {string} namespace
 */
const byHand = async ({ servers }, namespace) => {
  const client = await RawClient.open(servers)
  try {
    const start = performance.now()
    const events = await rawReadAll(client, namespace)
    return measured(events, performance.now() - start)
  } finally {
    await client.close()
  }
}

/**
 * @param {number} events
 * @param {number} ms
 */
const measured = (events, ms) => ({
  done: events,
  rate: (events / ms) * 1000,
  latencies: [],
  verified: events,
})
