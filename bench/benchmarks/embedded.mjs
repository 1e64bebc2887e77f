// Appends a second on the embedded store, each durable before it resolves, against puts of the
// same bytes with LMDB alone.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'cairn-es'
import { open } from 'lmdb'
import {
  encodeCommit,
  encodeHead,
  encodeLogRecord,
  headKey,
  indexKey,
  newId,
  positionKey,
} from 'cairn-es/bench'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { interleave } from '../interleave.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const workers = 64

/** @type {import('../benchmark.mjs').Benchmark} */
export const embeddedAppend = {
  name: 'embedded-append',
  unit: 'appends/s',
  durability: 'fsync before every ack',
  goal: { atLeast: 0.5 },
  about: `appends on the embedded store, ${workers} in flight; baseline: puts of the same keys and bytes with lmdb, flushed`,
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
    const actors = counters(workers)
    const versions = actors.map(() => 0)
    const driven = await drive({
      workers,
      ms: context.ms,
      step: async worker => {
        const actor = actors[worker] ?? { type: 'counter', id: '' }
        const expected = versions[worker] ?? 0
        const result = await place.store.append(actor, counterCommit.events, {
          ...counterCommit,
          expected,
        })
        verify(result.ok, () => `an append of ${actor.id} at ${expected} met a conflict`)
        versions[worker] = result.version
      },
    })
    const acknowledged = new Map(actors.map(({ id }, i) => [id, versions[i] ?? 0]))
    return { ...driven, verified: await checkVersions(place.store, acknowledged) }
  } finally {
    await place.close()
  }
}

/**
 * The keys and bytes that the store writes: the record, its place in the actor's index, and where
 * the actor stands.
 *
 * @param {Context} context
 * @param {string} dir
 */
const byHand = async (context, dir) => {
  const binary = /** @type {const} */ ({ encoding: 'binary', keyEncoding: 'binary' })
  const file = open({ path: join(dir, 'raw.lmdb'), ...binary })
  const [log, heads, index] = ['log', 'heads', 'index'].map(name =>
    file.openDB(name, binary),
  )
  try {
    verify(log && heads && index, () => 'a table was not opened')
    const { headers, body } = encodeCommit({
      ...counterCommit,
      id: newId(),
      actor: { type: 'counter', id: 'c' },
      firstVersion: 1,
      at: Date.now(),
      nodeId: 'bench',
    })
    const record = encodeLogRecord(
      { type: 'counter', id: 'c' },
      Object.fromEntries(headers),
      body,
    )
    let position = 0
    const driven = await drive({
      workers,
      ms: context.ms,
      step: async (worker, turn) => {
        const actor = { type: 'counter', id: `c${worker}` }
        const [actorNumber, version] = [worker + 1, turn + 1]
        const head = encodeHead({ actorNumber, version, position: ++position })
        await Promise.all([
          log.put(positionKey(position), record, atEnd),
          index.put(indexKey(actorNumber, version, position), nothing),
          heads.put(headKey(actor), head),
        ])
        await file.flushed
      },
    })
    const verified = log.getCount()
    verify(
      verified === driven.done,
      () => `${driven.done} puts were acknowledged, and ${verified} are there`,
    )
    return { ...driven, verified }
  } finally {
    await file.close()
  }
}

const nothing = Buffer.alloc(0)
// The types of `put` leave out the options that it takes as `putSync` does.
const atEnd = /** @type {number} */ (/** @type {unknown} */ ({ append: true }))
