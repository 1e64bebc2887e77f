import t from 'tap'

import { versionsOf } from '../../src/codec/commit-headers.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import { MemoryQueue, MemoryQueueRecords } from '../../src/store/queue/memory.js'
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

const busy: readonly [string, (store: MemoryStore, queue: MemoryQueue) => unknown][] = [
  ['appends', store => store.append(busyActor, [{ type: 'added' }])],
  ['reads', store => store.head(busyActor)],
  [
    'puts',
    (_store, queue) => queue.put({ key: ['a'], id: 'x', headers: [], body: noBody }),
  ],
]
const busyActor = { type: 'account', id: 'busy' }
const noBody = new Uint8Array()

for (const [what, work] of busy)
  await t.test(`a loop that only awaits ${what} lets timers run`, async t => {
    const store = new MemoryStore({ namespace: 'n', nodeId: 'a', log: new MemoryLog() })
    const queue = new MemoryQueue('inbox', new MemoryQueueRecords())
    let hasFired = false
    setTimeout(() => (hasFired = true), 1)
    let count = 0
    while (!hasFired && count < 1_000_000) {
      await work(store, queue)
      count++
    }
    t.ok(hasFired, `${count} times`)
  })
