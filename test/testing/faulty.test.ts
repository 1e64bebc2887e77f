// Without a fault a faulty backend is the backend: the contract suites find no difference.

import t from 'tap'

import { memory } from '../../src/backend/memory.js'
import { versionsOf } from '../../src/codec/commit-headers.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { FaultyStore } from '../../src/testing/faulty-store.js'
import { Faults, faulty } from '../../src/testing/index.js'
import { Simulation } from '../../src/testing/simulation.js'
import { newId } from '../../src/model/id.js'
import { testNoticeBus } from '../contract/bus.js'
import { testMembership } from '../contract/membership.js'
import { testEventStore } from '../contract/store.js'

for (const [name, makeFaults] of [
  ['memory between faults', () => new Faults()],
  ['memory in a simulation', simulated],
] as const) {
  await testEventStore(t, name, async () => {
    const logs = new Map<string, MemoryLog>()
    const faults = makeFaults()
    let nodes = 0
    return {
      async open(options = {}) {
        const { nodeId = `node-${++nodes}`, namespace = 'test', cache = {} } = options
        const log = logs.get(namespace) ?? new MemoryLog()
        logs.set(namespace, log)
        const base = new MemoryStore({ namespace, nodeId, cache, log })
        return new FaultyStore(base, faults, faults.line(nodeId))
      },
      async injectRecord(actor, { headers, body }) {
        const version = versionsOf(name => headers[name])?.last ?? 0
        logs.get('test')!.push(actor, version, { ...headers }, body)
      },
      async [Symbol.asyncDispose]() {
        logs.clear()
        faults.simulation?.end()
      },
    }
  })

  await testNoticeBus(t, name, async () => ({
    backend: faulty(memory(), makeFaults()),
  }))
}

/** Ends with the test that uses it. */
function simulated(): Faults {
  const faults = new Faults()
  const simulation = new Simulation({ seed: faults.seed })
  faults.simulation = simulation
  t.teardown(() => simulation.end())
  return faults
}

await testMembership(t, 'memory between faults', async () => {
  const backend = faulty(memory(), new Faults())
  return {
    async join(self) {
      const nodeId = self?.id ?? newId()
      const open = await backend.open({ namespace: 'test', nodeId })
      return open.join(self)
    },
    async [Symbol.asyncDispose]() {},
  }
})
