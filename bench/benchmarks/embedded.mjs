// Appends a second on the embedded store, each durable before it resolves, against puts of the
// same bytes with LMDB alone.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'cairn-es'
import { open } from 'lmdb'
import { encodeCommit } from '../../dist/codec/envelope.js'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { interleave } from '../interleave.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const lanes = 64

/** @type {import('../benchmark.mjs').Benchmark} */
export const embeddedAppend = {
  name: 'embedded-append',
  unit: 'appends/s',
  durability: 'fsync before every ack',
  goal: { atLeast: 0.5 },
  about: `appends on the embedded store, ${lanes} in flight; baseline: puts of the same bytes with lmdb, flushed`,
  run: context =>
    interleave(context, {
      baseline: () => inFolder(dir => byHand(context, dir)),
      subject: () => inFolder(dir => throughStore(context, dir)),
    }),
}

/**
 * @template Result
 * @param {(dir: string) => Promise<Result>} work
 */
const inFolder = async work => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-bench-lmdb-'))
  try {
    return await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 3 })
  }
}

/**
 * @param {Context} context
 * @param {string} dir
 */
const throughStore = async (context, dir) => {
  const place = await embedded({ dir }).open({ namespace: 'bench', nodeId: 'bench' })
  try {
    const actors = counters(lanes)
    const versions = actors.map(() => 0)
    const driven = await drive({
      lanes,
      ms: context.ms,
      step: async lane => {
        const actor = actors[lane] ?? { type: 'counter', id: '' }
        const expected = versions[lane] ?? 0
        const result = await place.store.append(actor, counterCommit.events, {
          ...counterCommit,
          expected,
        })
        verify(result.ok, () => `an append of ${actor.id} at ${expected} met a conflict`)
        versions[lane] = result.version
      },
    })
    const acknowledged = new Map(actors.map(({ id }, i) => [id, versions[i] ?? 0]))
    return { ...driven, verified: await checkVersions(place.store, acknowledged) }
  } finally {
    await place.close()
  }
}

/**
 * @param {Context} context
 * @param {string} dir
 */
const byHand = async (context, dir) => {
  const file = open({
    path: join(dir, 'raw.lmdb'),
    encoding: 'binary',
    keyEncoding: 'binary',
  })
  try {
    const { headers, body } = encodeCommit({
      ...counterCommit,
      id: 'bench',
      actor: { type: 'counter', id: 'c' },
      firstVersion: 1,
      at: Date.now(),
      nodeId: 'bench',
    })
    const bytes = Buffer.concat([Buffer.from(JSON.stringify(headers)), body])
    let position = 0
    const driven = await drive({
      lanes,
      ms: context.ms,
      step: async () => {
        const key = Buffer.alloc(8)
        key.writeBigUInt64BE(BigInt(++position))
        await file.put(key, bytes)
        await file.flushed
      },
    })
    const verified = file.getCount()
    verify(
      verified === driven.done,
      () => `${driven.done} puts were acknowledged, and ${verified} are there`,
    )
    return { ...driven, verified }
  } finally {
    await file.close()
  }
}
