// Commits of two actors together a second, through `store.appendAll`, against atomic batches of
// the same two messages by hand.
import { nuid } from 'nats'
import { encodeCommit, logStream, logSubject } from 'cairn-es/bench'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { interleave } from '../interleave.mjs'
import { inFreshNamespace, partitions } from '../place.mjs'
import { RawClient } from '../raw.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

/** Batches under way: as many as a node has at a time. */
const workers = 16

/** @type {import('../benchmark.mjs').Benchmark} */
export const transact = {
  name: 'transact-2',
  unit: 'commits/s',
  goal: { atLeast: 0.7 },
  about: `two actors written together, ${workers} at a time; baseline: atomic batches of two by hand`,
  run: context =>
    interleave(context, {
      baseline: () => byHand(context),
      subject: () => throughStore(context),
    }),
}

/** @param {Context} context */
const throughStore = context =>
  inFreshNamespace(context, async ({ store }) => {
    const actors = counters(2 * workers)
    const versions = new Map(actors.map(({ id }) => [id, 0]))
    const driven = await drive({
      workers,
      ms: context.ms,
      step: async worker => {
        const parts = actors.slice(2 * worker, 2 * worker + 2).map(actor => ({
          ...counterCommit,
          actor,
          expected: versions.get(actor.id) ?? 0,
        }))
        const result = await store.appendAll(parts)
        verify(result.ok, () => 'a transaction met a conflict')
        for (const { actor, version } of result.appended) versions.set(actor.id, version)
      },
    })
    return { ...driven, verified: await checkVersions(store, versions) }
  })

/** @param {Context} context */
const byHand = context =>
  inFreshNamespace(context, async ({ store, namespace }) => {
    const client = await RawClient.open(context.servers)
    try {
      const standing = counters(2 * workers).map(actor => ({
        ...actor,
        subject: logSubject(namespace, actor, partitions),
        version: 0,
        position: 0,
      }))
      const driven = await drive({
        workers,
        ms: context.ms,
        step: worker =>
          new Promise((resolve, reject) => {
            const two = standing.slice(2 * worker, 2 * worker + 2)
            const batch = nuid.next()
            for (const [i, actor] of two.entries()) {
              const { headers, body } = encodeCommit({
                ...counterCommit,
                id: batch,
                actor,
                firstVersion: actor.version + 1,
                at: Date.now(),
                nodeId: 'bench',
              })
              const isLast = i === two.length - 1
              const lines = [
                ['Nats-Expected-Stream', logStream(namespace)],
                ['Nats-Expected-Last-Subject-Sequence', String(actor.position)],
                ['Nats-Batch-Id', batch],
                ['Nats-Batch-Sequence', String(i + 1)],
                ...(isLast ? [['Nats-Batch-Commit', '1']] : []),
                ...headers,
              ]
              const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
              const bytes = Buffer.from(`NATS/1.0\r\n${text}\r\n`)
              if (!isLast) client.publish(actor.subject, body, bytes)
              else
                client.request(actor.subject, body, bytes, message => {
                  /** @type {{ seq?: number, count?: number }} */
                  const ack = message.json()
                  if (ack.count !== two.length || ack.seq === undefined)
                    return reject(new Error(`not acknowledged: ${message.string()}`))
                  for (const [at, one] of two.entries()) {
                    one.version++
                    one.position = ack.seq - two.length + 1 + at
                  }
                  resolve()
                })
            }
          }),
      })
      const versions = new Map(standing.map(({ id, version }) => [id, version]))
      return { ...driven, verified: await checkVersions(store, versions) }
    } finally {
      await client.close()
    }
  })
