// Acknowledged compare-and-appends a second, each of one event of about 200 bytes to one of
// 1,000 actors, against the same bytes published by hand.
import { checkVersions } from '../check-log.mjs'
import { verify } from '../benchmark.mjs'
import { drive, driveRaw } from '../drive.mjs'
import { interleave } from '../interleave.mjs'
import { inFreshNamespace, partitions } from '../place.mjs'
import { RawAppender, RawClient } from '../raw.mjs'

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
