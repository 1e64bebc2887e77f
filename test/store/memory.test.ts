import t from 'tap'

import { versionsOf } from '../../src/codec/envelope.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { testEventStore } from '../contract/store.js'

await testEventStore(t, 'memory', async () => {
  const logs = new Map<string, MemoryLog>()
  let nodes = 0
  const open = async (
    options: {
      nodeId?: string
      namespace?: string
      cache?: { entries?: number }
    } = {},
  ) => {
    const { nodeId = `node-${++nodes}`, namespace = 'test', cache = {} } = options
    const log = logs.get(namespace) ?? new MemoryLog()
    logs.set(namespace, log)
    return new MemoryStore({ namespace, nodeId, cache, log })
  }
  return {
    open,
    async injectRecord(actor, { headers, body }) {
      const log = logs.get('test')!
      const version = versionsOf(name => headers[name])?.last ?? 0
      log.push(actor, version, { ...headers }, body)
    },
    async [Symbol.asyncDispose]() {
      logs.clear()
    },
  }
})
