// A backend between a node and its namespace, where faults happen.

import type { Backend } from '../backend/backend.js'
import { toOpenNamespace } from '../backend/backend.js'
import type { Faults } from './faults.js'
import { FaultyBus } from './faulty-bus.js'
import { FaultyMembership } from './faulty-membership.js'
import {
  faultyDocuments,
  faultyQueues,
  faultyReadModels,
  faultyTimers,
} from './faulty-side.js'
import { FaultyStore } from './faulty-store.js'
import { FaultyTransport } from './faulty-transport.js'

/**
 * The backend, with faults: pass it to `startNode({ store })` in the backend's place. Nodes that
 * share the `faults` can be cut from each other. Only what goes wrong is added: without a fault
 * everything passes as it comes.
 */
export function faulty(backend: Backend, faults: Faults): Backend {
  return {
    kind: backend.kind,
    async open(options) {
      const open = await backend.open(options)
      const line = faults.line(options.nodeId)
      const parts = {
        store: new FaultyStore(open.store, faults, line),
        bus: new FaultyBus(open.bus, open.store, faults, line),
        transport: new FaultyTransport(open.transport, faults, line),
        queues: faultyQueues(open.queues, line),
        documents: faultyDocuments(open.documents, line),
        readModels: faultyReadModels(open.readModels, line),
        timers: faultyTimers(open.timers, line),
        damage: open.damage,
        partitions: open.partitions,
        join: async (self?: Parameters<typeof open.join>[0]) =>
          new FaultyMembership(await open.join(self), faults.topology, line),
      }
      return toOpenNamespace(parts, () => open.close())
    },
  }
}
