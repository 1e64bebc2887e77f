// On the other stores it runs in store.long.ts: what a door adds is the same on all of them.

import t from 'tap'

import { versionsOf } from '../../src/codec/commit-headers.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { testEventStore } from '../contract/store.js'
import { behindDoor } from '../support/remote-store.js'

await testEventStore(t, 'memory behind a door', () => {
  const logs = new Map<string, MemoryLog>()
  let nodes = 0
  return behindDoor({
    async open({ nodeId = `node-${++nodes}`, namespace = 'test' } = {}) {
      const log = logs.get(namespace) ?? new MemoryLog()
      logs.set(namespace, log)
      return new MemoryStore({ namespace, nodeId, log })
    },
    async injectRecord(actor, { headers, body }) {
      const version = versionsOf(name => headers[name])?.last ?? 0
      logs.get('test')!.push(actor, version, { ...headers }, body)
    },
    async [Symbol.asyncDispose]() {
      logs.clear()
    },
  })
})
