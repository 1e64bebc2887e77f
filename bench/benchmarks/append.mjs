// Acknowledged compare-and-appends a second, each of one event of about 200 bytes to one of
// 1,000 actors, against the same bytes published by hand.
import { checkVersions } from '../check-log.mjs'
import { verify } from '../benchmark.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave, p50 } from '../interleave.mjs'
import { connect, headers } from 'nats'
import { encodeCommit, logStream, logSubject } from 'cairn-es/bench'
import { inFreshNamespace, partitions } from '../place.mjs'
import { RawAppender, RawClient } from '../raw.mjs'
import { startServers } from '../servers.mjs'

const actors = Array.from({ length: 1_000 }, (_, i) => ({ type: 'order', id: `o${i}` }))

/** An order line. */
const lineAdded = {
  type: 'line-added',
  data: {
    orderId: 'o-7f3a91c2',
    lineId: 17,
    sku: 'SKU-0042-BLUE-XL',
    title: 'Rain jacket, blue',
    quantity: 2,
    unitPrice: 5_995,
    currency: 'EUR',
    taxRate: 0.21,
    discount: 500,
    warehouse: 'ams-2',
    isGift: false,
    addedBy: 'customer-81724',
    addedAt: 1_767_225_600_000,
    note: null,
  },
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendLatency = {
  name: 'append-latency',
  unit: 'ms',
  about:
    'one compare-and-append after the other through the store, p50; baseline: the same publishes by hand, p50',
  goal: { atMost: 1.25 },
  run: context => interleave(context, halves(context, 1), p50),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const append64 = {
  name: 'append-64',
  extra: true,
  unit: 'appends/s',
  about:
    'compare-and-appends through the store, 64 in flight; baseline: the same publishes by hand',
  run: context => interleave(context, halves(context, 64)),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendPipelined = {
  name: 'append-pipelined',
  unit: 'appends/s',
  about:
    'compare-and-appends through the store, 256 in flight; baseline: the same publishes by hand',
  goal: { atLeast: 0.75 },
  run: context => interleave(context, halves(context, 256)),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendPacked = {
  name: 'append-packed',
  unit: 'commits/s',
  about:
    'commits of 10 events through the store, 256 in flight; baseline: publishes of the same bytes by hand',
  goal: { atLeast: 0.7 },
  run: context => interleave(context, halves(context, 256, 10)),
}

/**
 * @param {import('../benchmark.mjs').Context} context
 * @param {number} inFlight
 * @param {number} [events] of each commit
 */
const halves = (context, inFlight, events = 1) => ({
  baseline: () => byHand(context, inFlight, events),
  subject: () => throughStore(context, inFlight, events),
})

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendVsNaive = {
  name: 'append-vs-naive',
  unit: 'appends/s',
  goal: { atLeast: 3 },
  about:
    'compare-and-appends through the store, 256 in flight; baseline: js.publish of the client library, as many at once',
  run: context =>
    interleave(context, {
      baseline: () => naively(context, 256),
      subject: () => throughStore(context, 256),
    }),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendDurable = {
  name: 'append-durable',
  unit: 'appends/s',
  goal: { atLeast: 5 },
  durability: 'R1, fsync before every ack',
  about:
    'append-pipelined on a server that fsyncs before every acknowledgement; baseline: the same publishes by hand on it',
  async run(context) {
    const { signal } = context
    const servers = await startServers({ replicas: 1, syncAlways: true, signal })
    try {
      const there = /** @type {const} */ ({
        ...context,
        servers: servers.urls,
        serverPids: servers.serverPids,
        replicas: 1,
      })
      return await appendPipelined.run(there)
    } finally {
      await servers.close()
    }
  },
}

/**
 * Each worker has actors of its own, so one append of an actor is in flight at a time.
 *
 * @param {number} inFlight
 */
const actorOf = inFlight => (/** @type {number} */ worker, /** @type {number} */ turn) =>
  worker + inFlight * (turn % Math.floor(actors.length / inFlight))

/**
 * @param {import('../benchmark.mjs').Context} context
 * @param {number} inFlight
 * @param {number} [events] of each commit
 */
const throughStore = (context, inFlight, events = 1) =>
  inFreshNamespace(context, async ({ store }) => {
    const index = actorOf(inFlight)
    const versions = actors.map(() => 0)
    const commit = Array.from({ length: events }, () => lineAdded)
    const driven = await drive({
      workers: inFlight,
      ms: context.ms,
      step: async (worker, turn) => {
        const i = index(worker, turn)
        const actor = actors[i] ?? { type: 'order', id: '' }
        const expected = versions[i] ?? 0
        const result = await store.append(actor, commit, { expected })
        verify(result.ok, () => `an append of ${actor.id} at ${expected} met a conflict`)
        versions[i] = result.version
      },
    })
    const acknowledged = new Map(actors.map(({ id }, i) => [id, versions[i] ?? 0]))
    return { ...driven, verified: await checkVersions(store, acknowledged) }
  })

/**
 * @param {import('../benchmark.mjs').Context} context
 * @param {number} inFlight
 * @param {number} events of each commit
 */
const byHand = (context, inFlight, events) =>
  inFreshNamespace(context, async ({ store, namespace }) => {
    const client = await RawClient.open(context.servers)
    try {
      const commit = { events: Array.from({ length: events }, () => lineAdded) }
      const appender = new RawAppender({ client, namespace, actors, partitions, commit })
      const index = actorOf(inFlight)
      const driven = await driveRaw({
        workers: inFlight,
        ms: context.ms,
        step: (worker, turn, done) => appender.append(index(worker, turn), done),
      })
      return { ...driven, verified: await checkVersions(store, appender.versions) }
    } finally {
      await client.close()
    }
  })

/**
 * As the client library's documentation shows it: headers and `js.publish`, the same bytes.
 *
 * @param {import('../benchmark.mjs').Context} context
 * @param {number} inFlight
 */
const naively = (context, inFlight) =>
  inFreshNamespace(context, async ({ store, namespace }) => {
    const connection = await connect({ servers: context.servers.split(',') })
    try {
      const js = connection.jetstream()
      const index = actorOf(inFlight)
      const streamName = logStream(namespace)
      const standing = actors.map(actor => ({
        ...actor,
        subject: logSubject(namespace, actor, partitions),
        version: 0,
        position: 0,
      }))
      const driven = await drive({
        workers: inFlight,
        ms: context.ms,
        step: async (worker, turn) => {
          const actor = standing[index(worker, turn)]
          verify(actor !== undefined, () => 'there is no such actor')
          const { headers: lines, body } = encodeCommit({
            id: `${worker}-${turn}`,
            actor,
            firstVersion: actor.version + 1,
            events: [lineAdded],
            at: Date.now(),
            nodeId: 'bench',
          })
          const sent = headers()
          for (const [name, value] of lines) sent.set(name, value)
          const ack = await js.publish(actor.subject, body, {
            headers: sent,
            expect: { streamName, lastSubjectSequence: actor.position },
          })
          actor.version++
          actor.position = ack.seq
        },
      })
      const acknowledged = new Map(standing.map(({ id, version }) => [id, version]))
      return { ...driven, verified: await checkVersions(store, acknowledged) }
    } finally {
      await connection.close()
    }
  })
