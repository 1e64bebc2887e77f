// Events a second through `store.readAll`, decoded, against a pull consumer that reads the same log and
// decodes nothing.
import { AckPolicy, connect, nuid } from 'nats'
import { logStream } from '../../dist/nats/subjects.js'
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { fill } from '../fill.mjs'
import { interleave } from '../interleave.mjs'
import { inFreshNamespace } from '../place.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const commits = 100
/** Messages that the consumer asks for at a time; the store asks for 512. */
const batch = 512

/** @type {import('../benchmark.mjs').Benchmark} */
export const replay = {
  name: 'replay',
  unit: 'events/s',
  goal: { atLeast: 0.7 },
  about: 'the whole log read and decoded; baseline: a pull consumer, not decoded',
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
 * A pull consumer that is not acknowledged, in the client library's own order of things.
 *
 * @param {Context} context
 * @param {string} namespace
 * @param {number} total
 */
const byHand = async ({ servers }, namespace, total) => {
  const connection = await connect({ servers: servers.split(',') })
  try {
    const stream = logStream(namespace)
    const name = nuid.next()
    const manager = await connection.jetstreamManager()
    await manager.consumers.add(stream, { name, ack_policy: AckPolicy.None })
    const consumer = await connection.jetstream().consumers.get(stream, name)
    const start = performance.now()
    const messages = await consumer.consume({ max_messages: batch })
    let count = 0
    for await (const { seq } of messages) {
      verify(seq === ++count, () => `position ${seq} came as message ${count}`)
      if (count === total) break
    }
    const elapsed = performance.now() - start
    await manager.consumers.delete(stream, name)
    return measured(count, elapsed)
  } finally {
    await connection.close()
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
