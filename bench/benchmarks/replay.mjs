// Events a second through `store.readAll`, against a pull consumer that reads the same log with a callback, and decodes
// and checks each message.
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { asOnePiece } from '../drive.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { inFreshNamespace } from '../place.mjs'
import { consumeAll } from '../pull.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const commits = 100
/** Messages that the consumer asks for at a time: with more, the client library is not faster. */
const batch = 5_000

/** @type {import('../benchmark.mjs').Benchmark} */
export const replay = {
  name: 'replay',
  unit: 'events/s',
  goal: { atLeast: 0.7 },
  about:
    'the whole log read and decoded; baseline: a pull consumer with a callback, decoded',
  run: context =>
    inFreshNamespace(context, async ({ namespace, store }) => {
      const actors = counters(context.quick ? 100 : 1_000)
      const total = actors.length * commits
      context.progress(`writing ${total} commits`)
      await fill({ ...context, namespace, actors, commits })
      return interleave(context, {
        baseline: () => byHand(context, namespace, total),
        subject: () => throughStore(store, total),
      })
    }),
}

/**
 * @param {import('cairn-es/store').EventStore} store
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
  return asOnePiece(events, performance.now() - start)
}

/**
 * @param {Context} context
 * @param {string} namespace
 * @param {number} total
 */
const byHand = async (context, namespace, total) => {
  return asOnePiece(total, await consumeAll(context, namespace, { total, batch }))
}
