// Appends on the embedded store, each durable before it resolves, against the same keys and bytes written with LMDB
// alone, as well as that can be done: how many a second with many in flight, and how long a lone one takes.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'cairn-es'
import { open } from 'lmdb'
import {
  encodeCommit,
  encodeHead,
  encodeLogRecord,
  extendRun,
  headKey,
  indexKey,
  newId,
  positionKey,
} from 'cairn-es/bench'
import { verify } from '../benchmark.mjs'
import { checkVersions } from '../check-log.mjs'
import { counterCommit, counters } from '../counters.mjs'
import { drive } from '../drive.mjs'
import { interleave, p50 } from '../interleave.mjs'

/** @typedef {import('../benchmark.mjs').Context} Context */

const inFlight = 64
/** Entries of a run of an actor's index: see docs/wire-format.md. */
const runEntries = 16

/** @type {import('../benchmark.mjs').Benchmark} */
export const embeddedAppend = {
  name: 'embedded-append',
  unit: 'appends/s',
  durability: 'fsync before every ack',
  goal: { atLeast: 0.6 },
  about: `appends on the embedded store, ${inFlight} in flight; baseline: the same keys and bytes with lmdb, all that wait in one transaction`,
  run: context =>
    interleave(context, {
      baseline: () => inFolder(dir => byHand(context, dir, inFlight)),
      subject: () => inFolder(dir => throughStore(context, dir, inFlight)),
    }),
}

/** @type {import('../benchmark.mjs').Benchmark} */
export const embeddedLatency = {
  name: 'embedded-latency',
  unit: 'ms',
  durability: 'fsync before every ack',
  goal: { atMost: 1.3 },
  about:
    'one append on the embedded store, p50; baseline: the same keys and bytes with lmdb, one transaction each',
  run: context =>
    interleave(
      context,
      {
        baseline: () => inFolder(dir => byHand(context, dir, 1)),
        subject: () => inFolder(dir => throughStore(context, dir, 1)),
      },
      p50,
    ),
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
 * @param {number} workers
 */
const throughStore = async (context, dir, workers) => {
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
 * The keys and bytes that the store writes: the record, where the actor stands, and a row of its index for every run
 * of entries. What waits when the event loop comes round is written in one transaction, on this thread: LMDB flushes it
 * before it returns, and nothing is handed to another thread and back.
 *
 * @param {Context} context
 * @param {string} dir
 * @param {number} workers
 */
const byHand = async (context, dir, workers) => {
  const binary = /** @type {const} */ ({ encoding: 'binary', keyEncoding: 'binary' })
  const file = open({ path: join(dir, 'raw.lmdb'), overlappingSync: false, ...binary })
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
    const runOf = (/** @type {number} */ entries) =>
      Array.from({ length: entries - 1 }).reduce(
        (/** @type {Buffer} */ run) => extendRun(run, 1, workers),
        nothing,
      )
    const row = runOf(runEntries)
    const run = runOf(runEntries / 2) // As long as the average.
    const keys = Array.from({ length: workers }, (_, worker) =>
      headKey({ type: 'counter', id: `c${worker}` }),
    )
    let position = 0
    const put = (/** @type {number} */ worker, /** @type {number} */ turn) => {
      const [actorNumber, version] = [worker + 1, turn + 1]
      log.putSync(positionKey(++position), record, atEnd)
      if (turn % runEntries === runEntries - 1)
        index.putSync(indexKey(actorNumber, version, position), row)
      const head = { actorNumber, version, position, run }
      heads.putSync(keys[worker] ?? nothing, encodeHead(head))
    }
    /** @type {{ readonly worker: number, readonly turn: number, readonly stored: () => void }[]} */
    let waiting = []
    const write = () => {
      const batch = waiting
      waiting = []
      file.transactionSync(() => {
        for (const { worker, turn } of batch) put(worker, turn)
      })
      for (const { stored } of batch) stored()
    }
    const driven = await drive({
      workers,
      ms: context.ms,
      step: (worker, turn) =>
        new Promise(stored => {
          if (waiting.length === 0) setImmediate(write)
          waiting.push({ worker, turn, stored })
        }),
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
// The types of `putSync` leave out the options of its third argument.
const atEnd = /** @type {number} */ (/** @type {unknown} */ ({ append: true }))
