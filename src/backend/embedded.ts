// Namespaces in a directory of this machine: without a server, durable, for any number of
// processes.

import { LocalBus, type LocalStores } from '../bus/local.js'
import { FileMembership } from '../cluster/file-membership.js'
import type { Member } from '../cluster/membership.js'
import { SocketTransport } from '../cluster/socket.js'
import { LmdbDocuments } from '../store/documents/lmdb.js'
import { checkNamespace } from '../model/address.js'
import { checkOptions } from '../model/check-options.js'
import { DamageReports } from '../model/damage.js'
import { CairnError } from '../model/errors.js'
import { WatchedDocuments } from '../store/documents/watched.js'
import { LmdbQueue } from '../store/queue/lmdb.js'
import { LmdbReadModels } from '../store/read-models/lmdb.js'
import {
  type LmdbStore,
  namespacesIn,
  openLmdbStore,
  removeFiles,
} from '../store/event-store/lmdb.js'
import { LmdbTimers } from '../store/timers/lmdb.js'
import { type Backend, toOpenNamespace, unknownNamespace } from './backend.js'

export interface EmbeddedOptions {
  /** Directory of the data; created if missing. Each namespace is a file in it. */
  readonly dir: string
}

/** Milliseconds between scans for new namespaces, while a subscription across namespaces exists. */
const scanInterval = 100

/**
 * Stores namespaces in a directory, on LMDB. Every commit is fsynced before it is acknowledged, so
 * it survives a crash of the process and of the machine. Several processes may open
 * the same directory at once.
 *
 * Opening throws `foreign-directory`, `storage-failed`, `invalid-option` or
 * `invalid-namespace`.
 */
export function embedded(options: EmbeddedOptions): Backend {
  checkOptions('embedded', options, { dir: true })
  const { dir } = options
  if (typeof dir !== 'string' || dir === '')
    throw new CairnError(
      'invalid-option',
      'embedded({ dir }) needs a directory: pass its path.',
    )
  return {
    kind: 'embedded',
    namespaces: () => namespacesIn(dir),
    async remove(namespace) {
      checkNamespace(namespace)
      await removeFiles(dir, namespace)
    },
    async open(opening) {
      const { namespace, create = true } = opening
      checkNamespace(namespace)
      const known = await namespacesIn(dir)
      const isNew = !known.includes(namespace)
      if (isNew && !create) throw unknownNamespace(namespace, `in ${dir}`, known)
      const opened = new Map<string, Promise<LmdbStore>>()
      const storeOf = (name: string) => {
        const known =
          opened.get(name) ?? openLmdbStore({ ...opening, dir, namespace: name })
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
    },
  }
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
