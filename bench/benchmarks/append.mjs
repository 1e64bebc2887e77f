// Acknowledged compare-and-appends a second, each of one event of about 200 bytes to one of
// 1,000 actors, against the same bytes published by hand.
import { checkVersions } from '../check-log.mjs'
import { verify } from '../benchmark.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave } from '../interleave.mjs'
import { connect, headers } from 'nats'
import { encodeCommit } from '../../dist/codec/envelope.js'
import { logStream, logSubject } from '../../dist/nats/subjects.js'
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

/**
 * @param {number} inFlight
 * @returns {import('../benchmark.mjs').Benchmark}
 */
export const append = inFlight => ({
  name: `append-${inFlight}`,
  unit: 'appends/s',
  about: `compare-and-appends through the store, ${inFlight} in flight; baseline: the same publishes by hand`,
  run: context =>
    interleave(context, {
      baseline: () => byHand(context, inFlight),
      subject: () => throughStore(context, inFlight),
    }),
})

/** @type {import('../benchmark.mjs').Benchmark} */
export const appendVsNaive = {
  name: 'append-vs-naive',
  extra: true,
  unit: 'appends/s',
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
  extra: true,
  unit: 'appends/s',
  durability: 'R1, fsync before every ack',
  about:
    'append-256 on a server that fsyncs before every acknowledgement; baseline: the same publishes by hand on it',
  async run(context) {
    const { signal } = context
    const servers = await startServers({ replicas: 1, syncAlways: true, signal })
    try {
      const there = /** @type {const} */ ({
        ...context,
        servers: servers.urls,
        replicas: 1,
      })
      return await append(256).run(there)
    } finally {
      await servers.close()
    }
  },
}

/**
 * Each lane has actors of its own, so one append of an actor is in flight at a time.
 *
 * @param {number} inFlight
 */
const actorOf = inFlight => (/** @type {number} */ lane, /** @type {number} */ turn) =>
  lane + inFlight * (turn % Math.floor(actors.length / inFlight))

/**
 * @param {import('../benchmark.mjs').Context} context
 * @param {number} inFlight
 */
const throughStore = (context, inFlight) =>
  inFreshNamespace(context, async ({ store }) => {
    const index = actorOf(inFlight)
    const versions = actors.map(() => 0)
    const driven = await drive({
      lanes: inFlight,
      ms: context.ms,
      step: async (lane, turn) => {
        const i = index(lane, turn)
        const actor = actors[i] ?? { type: 'order', id: '' }
        const expected = versions[i] ?? 0
        const result = await store.append(actor, [lineAdded], { expected })
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
 */
const byHand = (context, inFlight) =>
  inFreshNamespace(context, async ({ store, namespace }) => {
    const client = await RawClient.open(context.servers)
    try {
      const commit = { events: [lineAdded] }
      const appender = new RawAppender({ client, namespace, actors, partitions, commit })
      const index = actorOf(inFlight)
      const driven = await driveRaw({
        lanes: inFlight,
        ms: context.ms,
        step: (lane, turn, done) => appender.append(index(lane, turn), done),
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
        lanes: inFlight,
        ms: context.ms,
        step: async (lane, turn) => {
          const actor = standing[index(lane, turn)]
          verify(actor !== undefined, () => 'there is no such actor')
          const { headers: lines, body } = encodeCommit({
            id: `${lane}-${turn}`,
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
