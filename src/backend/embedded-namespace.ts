// Opens namespaces in a directory: LMDB, sockets and files of this machine.

import { LocalBus, type LocalStores } from '../bus/local.js'
import { FileMembership } from '../cluster/file-membership.js'
import type { Member } from '../cluster/membership.js'
import { SocketTransport } from '../cluster/socket.js'
import { LmdbDocuments } from '../store/documents/lmdb.js'
import { DamageReports } from '../model/damage.js'
import { WatchedDocuments } from '../store/documents/watched.js'
import { LmdbQueue } from '../store/queue/lmdb.js'
import { LmdbReadModels } from '../store/read-models/lmdb.js'
import { type LmdbStore, namespacesIn, openLmdbStore } from '../store/event-store/lmdb.js'
import { LmdbTimers } from '../store/timers/lmdb.js'
import {
  type OpenNamespace,
  type OpenOptions,
  toOpenNamespace,
  unknownNamespace,
} from './backend.js'

export { namespacesIn, removeFiles } from '../store/event-store/lmdb.js'

/** Milliseconds between scans for new namespaces, while a subscription across namespaces exists. */
const scanInterval = 100

/** Opens a namespace in `dir`. Throws as `embedded` says. */
export async function openEmbedded(
  dir: string,
  opening: OpenOptions,
): Promise<OpenNamespace> {
  const { namespace, create = true } = opening
  const known = await namespacesIn(dir)
  const isNew = !known.includes(namespace)
  if (isNew && !create)
    throw unknownNamespace(namespace, `in ${dir}`, known, `--embedded ${dir}`)
  const opened = new Map<string, Promise<LmdbStore>>()
  const storeOf = (name: string) => {
    const known = opened.get(name) ?? openLmdbStore({ ...opening, dir, namespace: name })
    opened.set(name, known)
    return known
  }
  const store = await storeOf(namespace)
  const bus = new LocalBus(localStores(dir, storeOf))
  const transport = new SocketTransport(dir, namespace)
  const join = (self?: Member) => FileMembership.join(dir, namespace, self)
  const { partitions } = store
  const queues = {
    inbox: new LmdbQueue('inbox', store.queues),
    topic: new LmdbQueue('topic', store.queues),
    dead: new LmdbQueue('dead', store.queues),
  }
  const damage = new DamageReports()
  for (const position of store.damagedRecords)
    damage.report({
      place: `record ${position} of ${namespace}.lmdb`,
      problem: 'unreadable',
      state: 'open',
      text:
        `Record ${position} of ${namespace}.lmdb does not match its checksum. Its actor is parked, unless a later ` +
        'commit carries its state. Restore the file from a backup, or skip the versions of the record.',
    })
  const documents = new WatchedDocuments(
    new LmdbDocuments(store.documents),
    damage,
    `the documents of ${namespace}`,
  )
  const timers = new LmdbTimers(store.queues, partitions)
  const readModels = new LmdbReadModels(store.readModels)
  const beside = { queues, documents, timers, readModels, damage }
  const parts = { isNew, store, bus, transport, ...beside, partitions, join }
  return toOpenNamespace(parts, async () => {
    await Promise.all([...opened.values()].map(async other => (await other).close()))
  })
}

/** The stores that the bus follows. Other namespaces are opened when subscribed to. */
function localStores(
  dir: string,
  open: (namespace: string) => Promise<LmdbStore>,
): LocalStores {
  return {
    open,
    async watch(found) {
      const known = new Set<string>()
      const scan = async () => {
        for (const namespace of await namespacesIn(dir)) {
          if (known.has(namespace)) continue
          known.add(namespace)
          found(namespace)
        }
      }
      await scan()
      // A failed scan is ignored: the next one finds what it missed.
      const timer = setInterval(() => void scan().catch(() => {}), scanInterval)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
}
