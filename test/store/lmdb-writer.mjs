// A process that appends to an embedded log until it is done or killed. It runs the
// compiled code (npm run build), as a user's process does.
//
//     node lmdb-writer.mjs append DIR NAMESPACE NAME COUNT
//     node lmdb-writer.mjs reopen DIR NAMESPACE NAME COUNT
//     node lmdb-writer.mjs set-back DIR NAMESPACE COUNT
//     node lmdb-writer.mjs die-writing DIR NAMESPACE
//     node lmdb-writer.mjs hold-lock DIR NAMESPACE
//     node lmdb-writer.mjs fill DIR NAMESPACE
//     node lmdb-writer.mjs fill-documents DIR NAMESPACE
//
// `append` tells its parent of each append that was acknowledged; so does `reopen`, which opens and
// closes the log for each. `set-back` moves the number of the last commit in the lock file back by
// COUNT, as a process can that opens the log while others write to it. `die-writing` kills itself
// within a write transaction, with a record written and not committed. `hold-lock` takes the
// write lock, says so on stdout, and keeps it until it is killed. `fill` appends until that
// fails, and tells how often it succeeded and with what it failed. `fill-documents` puts documents
// in the same way, each alone and some at once.

import { openSync, readSync, writeSync } from 'node:fs'

const [mode, dir, namespace, name, count] = process.argv.slice(2)

/** @param {string} path */
const compiled = path => import(new URL(`../../dist/${path}`, import.meta.url).href)

/** @param {unknown} message */
function tell(message) {
  process.send?.(message)
}

async function append() {
  const { openLmdbStore } = await compiled('store/event-store/lmdb.js')
  const store = await openLmdbStore({ dir, namespace, nodeId: name })
  let next = 0
  const lanes = [0, 1, 2, 3].map(async () => {
    while (next < Number(count)) {
      const i = next++
      const actor = { type: 'account', id: `actor-${i % 3}` }
      const events = Array.from({ length: (i % 2) + 1 }, () => ({ type: 'counted' }))
      const command = { id: `${name}-${i}` }
      let expected = i % 4 === 0 ? 'any' : 0
      for (;;) {
        const result = await store.append(actor, events, { expected, command })
        if (result.ok) {
          const { firstVersion, version, position } = result
          tell({ command: command.id, id: actor.id, firstVersion, version, position })
          break
        }
        expected = result.actual
      }
    }
  })
  await Promise.all(lanes)
  await store.close()
  process.disconnect?.()
}

async function reopen() {
  const { openLmdbStore } = await compiled('store/event-store/lmdb.js')
  for (let i = 0; i < Number(count); i++) {
    const store = await openLmdbStore({ dir, namespace, nodeId: name })
    const actor = { type: 'account', id: `actor-${i % 3}` }
    const command = { id: `${name}-${i}` }
    const options = { expected: 'any', command }
    const { firstVersion, version, position } = await store.append(
      actor,
      [{ type: 'counted' }],
      options,
    )
    tell({ command: command.id, id: actor.id, firstVersion, version, position })
    await store.close()
  }
  process.disconnect?.()
}

function setBack() {
  const lockFile = openSync(`${dir}/${namespace}.lmdb-lock`, 'r+')
  const number = new BigUint64Array(1)
  readSync(lockFile, number, 0, 8, 8)
  number[0] = (number[0] ?? 0n) - BigInt(name ?? 0)
  writeSync(lockFile, number, 0, 8, 8)
}

async function dieWriting() {
  const { acquireEnvironment } = await compiled('store/lmdb/environment.js')
  const { root, log } = await acquireEnvironment(dir, namespace)
  const actor = { type: 'account', id: 'actor-0' }
  await root.transaction(() => {
    const position = log.lastPosition() + 1
    const head = log.head(actor)
    log.append(actor, head, position, 1_000_000, Buffer.from('half written'))
    process.kill(process.pid, 'SIGKILL')
    // The signal is pending; the lock must not be released before it arrives.
    for (;;) continue
  })
}

async function holdLock() {
  const { acquireEnvironment } = await compiled('store/lmdb/environment.js')
  const { root } = await acquireEnvironment(dir, namespace)
  await root.transaction(() => {
    // This thread blocks next, so the parent is told synchronously.
    writeSync(1, 'holding\n')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
}

async function fill() {
  const { openLmdbStore } = await compiled('store/event-store/lmdb.js')
  const store = await openLmdbStore({ dir, namespace, nodeId: 'filler' })
  const actor = { type: 'account', id: 'big' }
  const events = [{ type: 'filled', data: 'x'.repeat(4000) }]
  let stored = 0
  const codes = []
  while (codes.length < 3)
    try {
      await store.append(actor, events, { expected: stored })
      stored++
    } catch (error) {
      codes.push(/** @type {any} */ (error).code)
    }
  const together = await Promise.allSettled(
    Array.from({ length: 20 }, () => store.append(actor, events)),
  )
  for (const one of together)
    codes.push(one.status === 'rejected' ? one.reason.code : one.status)
  tell({ stored, codes, last: await store.lastPosition() })
  await store.close()
  process.disconnect?.()
}

async function fillDocuments() {
  const { embedded } = await compiled('index.js')
  const open = await embedded({ dir }).open({ namespace, nodeId: 'filler' })
  const value = new Uint8Array(4_000)
  let stored = 0
  const codes = []
  const put = (/** @type {number} */ i) =>
    open.documents.put(['filled', String(i)], value, 0)
  while (codes.length < 3)
    try {
      await put(stored)
      stored++
    } catch (error) {
      codes.push(/** @type {any} */ (error).code)
    }
  const together = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => put(1_000_000 + i)),
  )
  for (const one of together)
    codes.push(one.status === 'rejected' ? one.reason.code : one.status)
  // What LMDB promises besides would end the process in a later turn.
  await new Promise(resolve => setTimeout(resolve, 100))
  tell({ stored, codes })
  await open.close()
  process.disconnect?.()
}

switch (mode) {
  case 'fill-documents':
    await fillDocuments()
    break
  case 'append':
    await append()
    break
  case 'reopen':
    await reopen()
    break
  case 'set-back':
    setBack()
    break
  case 'die-writing':
    await dieWriting()
    break
  case 'hold-lock':
    await holdLock()
    break
  case 'fill':
    await fill()
    break
  default:
    throw new Error(`unknown mode ${mode}`)
}
