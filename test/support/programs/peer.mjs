// A node that only writes to the actor account/shared, and reads its version from the cache alone. It tells what comes of
// it in a line of JSON each.
//
//     node peer.mjs '{"servers":…, "namespace":…, "id":…, "after":N, "write":M, "until":L}'
//
// It waits until its cache is at version N, writes M commits, waits until its cache is at version L, and then
// writes one that expects the version that it has written last.

import { jetstream, startNode } from 'cairn-es'

/** @typedef {{ servers: string, namespace: string, id: string, after: number, write: number, until?: number }} Options */
/** @type {Options} */
const options = JSON.parse(process.argv[2] ?? '')
const { servers, namespace, id, after, write } = options

/** @param {object} line */
const tell = line => process.stdout.write(`${JSON.stringify(line)}\n`)

const actor = { type: 'account', id: 'shared' }
const events = [{ type: 'deposited', data: { amount: 1 } }]

// It stays with its server: the notices have to pass from one server to another.
const store = jetstream({ servers, ignoreClusterUpdates: true })
const node = await startNode({ namespace, id, store })
let notices = 0
await node.subscribeToEventStored(() => void notices++)

const seconds = 60
/** @param {number} version */
async function cachedIs(version) {
  const end = performance.now() + seconds * 1_000
  while (node.store.cachedVersion(actor) !== version) {
    if (performance.now() > end)
      throw new Error(
        `${id}: not at version ${version} within ${seconds} s, but at ${node.store.cachedVersion(actor)}`,
      )
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** How often the cache has led to a read, or saved one. */
const reads = () => {
  const { hits, misses, heals } = node.store.cacheStats()
  return { hits, misses, heals }
}

tell({ kind: 'ready', ...reads() })
if (after > 0) await cachedIs(after)
tell({ kind: 'cached', version: node.store.cachedVersion(actor) ?? 0, ...reads() })
let version = after
for (let i = 0; i < write; i++) {
  const stored = await node.store.append(actor, events, { expected: version || 'none' })
  if (!stored.ok) throw new Error(`${id}: ${JSON.stringify(stored)}`)
  version = stored.version
}
tell({ kind: 'wrote', version })
if (options.until !== undefined) {
  await cachedIs(options.until)
  const late = await node.store.append(actor, events, { expected: version })
  if (late.ok)
    throw new Error(`${id} wrote after ${version}, although it is not the last`)
  const { expected, actual } = late
  tell({ kind: 'late', expected, actual })
}
process.once('SIGTERM', () => {
  tell({ kind: 'heard', notices })
  void node.close()
})
tell({ kind: 'done' })
