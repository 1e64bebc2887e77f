// Namespaces in the memory of this process: for tests and experiments.

import { LocalBus, type LocalStores } from '../bus/local.js'
import { type MemoryNetwork, MemoryTransport } from '../cluster/memory.js'
import { MemoryMembers, MemoryMembership } from '../cluster/memory-membership.js'
import { checkNamespace } from '../model/address.js'
import { MemoryDocuments } from '../store/documents/memory.js'
import { defaultPartitions } from '../model/partition.js'
import { MemoryQueue, MemoryQueueRecords } from '../store/queue/memory.js'
import { MemoryReadModels } from '../store/read-models/memory.js'
import { MemoryLog, MemoryStore } from '../store/event-store/memory.js'
import { MemoryTimers, MemoryTimerTable } from '../store/timers/memory.js'
import { type Backend, toOpenNamespace } from './backend.js'

/**
 * Stores namespaces in memory. Nodes that share one `memory()` share its data, like nodes
 * on one NATS server. The data is lost when the process ends.
 */
export function memory(): Backend {
  const logs = new Map<string, MemoryLog>()
  const networks = new Map<string, MemoryNetwork>()
  const tables = new Map<string, MemoryMembers>()
  const sides = new Map<string, MemorySide>()
  const watchers = new Set<(namespace: string) => void>()

  const logOf = (namespace: string) => {
    const known = logs.get(namespace)
    if (known !== undefined) return known
    const log = new MemoryLog()
    logs.set(namespace, log)
    for (const found of watchers) found(namespace)
    return log
  }

  return {
    kind: 'memory',
    async open({ namespace, nodeId, cache }) {
      checkNamespace(namespace)
      const storeOf = (name: string) =>
        new MemoryStore({
          namespace: name,
          nodeId,
          log: logOf(name),
          ...(cache !== undefined && { cache }),
        })
      const store = storeOf(namespace)
      const stores: LocalStores = {
        open: async name => (name === namespace ? store : storeOf(name)),
        async watch(found) {
          for (const name of logs.keys()) found(name)
          watchers.add(found)
          return () => watchers.delete(found)
        },
      }
      const network = networks.get(namespace) ?? new Set()
      networks.set(namespace, network)
      const table = tables.get(namespace) ?? new MemoryMembers()
      tables.set(namespace, table)
      const side = sides.get(namespace) ?? newSide()
      sides.set(namespace, side)
      return toOpenNamespace({
        store,
        bus: new LocalBus(stores),
        transport: new MemoryTransport(network),
        queues: {
          inbox: new MemoryQueue('inbox', side.inbox),
          topic: new MemoryQueue('topic', side.topic),
          dead: new MemoryQueue('dead', side.dead),
        },
        timers: new MemoryTimers(side.timers, defaultPartitions),
        documents: side.documents,
        readModels: side.readModels,
        partitions: defaultPartitions,
        join: async self => new MemoryMembership(table, self),
      })
    },
  }
}

/** What a namespace has beside its log. */
interface MemorySide {
  readonly inbox: MemoryQueueRecords
  readonly topic: MemoryQueueRecords
  readonly dead: MemoryQueueRecords
  readonly documents: MemoryDocuments
  readonly readModels: MemoryReadModels
  readonly timers: MemoryTimerTable
}

function newSide(): MemorySide {
  return {
    inbox: new MemoryQueueRecords(),
    topic: new MemoryQueueRecords(),
    dead: new MemoryQueueRecords(),
    documents: new MemoryDocuments(),
    readModels: new MemoryReadModels(),
    timers: new MemoryTimerTable(),
  }
}
