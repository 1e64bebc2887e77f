// Namespaces in the memory of this process: for tests and experiments.

import { LocalBus, type LocalStores } from '../bus/local.js'
import { type MemoryNetwork, MemoryTransport } from '../cluster/memory.js'
import { MemoryMembers, MemoryMembership } from '../cluster/memory-membership.js'
import { checkNamespace } from '../model/address.js'
import { DamageReports } from '../model/damage.js'
import { MemoryDocuments } from '../store/documents/memory.js'
import { WatchedDocuments } from '../store/documents/watched.js'
import { defaultPartitions } from '../model/partition.js'
import { MemoryQueue, MemoryQueueRecords } from '../store/queue/memory.js'
import { MemoryReadModels } from '../store/read-models/memory.js'
import { MemoryLog, MemoryStore } from '../store/event-store/memory.js'
import { MemoryTimers, MemoryTimerTable } from '../store/timers/memory.js'
import { type Backend, toOpenNamespace, unknownNamespace } from './backend.js'

/**
 * Stores namespaces in memory. Nodes that share one `memory()` share its data, like nodes
 * on one NATS server. The data is lost when the process ends.
 */
export function memory(): Backend {
  const logs = new Map<string, MemoryLog>()
  const networks = new Map<string, MemoryNetwork>()
  const memberTables = new Map<string, MemoryMembers>()
  const dataByNamespace = new Map<string, MemoryNamespaceData>()
  const watchers = new Set<(namespace: string) => void>()

  const logOf = (namespace: string) => {
    const known = logs.get(namespace)
    if (known !== undefined) return known
    const log = new MemoryLog()
    logs.set(namespace, log)
    for (const onNamespace of watchers) onNamespace(namespace)
    return log
  }

  return {
    kind: 'memory',
    namespaces: async () => [...logs.keys()],
    async remove(namespace) {
      for (const kept of [logs, networks, memberTables, dataByNamespace])
        kept.delete(namespace)
    },
    async open({ namespace, nodeId, cache, create = true }) {
      checkNamespace(namespace)
      const isNew = !logs.has(namespace)
      if (isNew && !create)
        throw unknownNamespace(namespace, 'in memory', [...logs.keys()])
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
        async watch(onNamespace) {
          for (const name of logs.keys()) onNamespace(name)
          watchers.add(onNamespace)
          return () => watchers.delete(onNamespace)
        },
      }
      const network = networks.get(namespace) ?? new Set()
      networks.set(namespace, network)
      const table = memberTables.get(namespace) ?? new MemoryMembers()
      memberTables.set(namespace, table)
      const data = dataByNamespace.get(namespace) ?? newNamespaceData()
      dataByNamespace.set(namespace, data)
      const damage = new DamageReports()
      return toOpenNamespace({
        isNew,
        store,
        bus: new LocalBus(stores),
        transport: new MemoryTransport(network),
        queues: {
          inbox: new MemoryQueue('inbox', data.inbox),
          topic: new MemoryQueue('topic', data.topic),
          dead: new MemoryQueue('dead', data.dead),
        },
        timers: new MemoryTimers(data.timers, defaultPartitions),
        documents: new WatchedDocuments(
          data.documents,
          damage,
          `the documents of ${namespace}`,
        ),
        damage,
        readModels: data.readModels,
        partitions: defaultPartitions,
        join: async self => new MemoryMembership(table, self),
      })
    },
  }
}

/** What a namespace stores beside its log. */
interface MemoryNamespaceData {
  readonly inbox: MemoryQueueRecords
  readonly topic: MemoryQueueRecords
  readonly dead: MemoryQueueRecords
  readonly documents: MemoryDocuments
  readonly readModels: MemoryReadModels
  readonly timers: MemoryTimerTable
}

function newNamespaceData(): MemoryNamespaceData {
  return {
    inbox: new MemoryQueueRecords(),
    topic: new MemoryQueueRecords(),
    dead: new MemoryQueueRecords(),
    documents: new MemoryDocuments(),
    readModels: new MemoryReadModels(),
    timers: new MemoryTimerTable(),
  }
}
