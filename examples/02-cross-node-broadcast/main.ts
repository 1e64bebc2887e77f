// Two nodes of one namespace, and one of another, on a NATS server. The server announces what the
// first node stores; the second node's version cache follows without a read, and the other
// namespace receives nothing.
//
// NATS_URL is the server's address; `npm run nats` starts one.

import { defineActor, event, jetstream, startNode } from 'cairn-es'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: { add: (_state, by: number) => event('added', by) },
  evolve: { added: (state, by: number) => state + by },
})

// A fresh pair of namespaces each time, so that the example can be run again.
const tenant = `shop-${Date.now()}`
const start = (namespace: string, id: string) =>
  startNode({ namespace, id, store: jetstream(), actors: [counter] })

await using writer = await start(tenant, 'writer')
await using reader = await start(tenant, 'reader')
await using stranger = await start(`${tenant}-other`, 'stranger')

const visits = { type: 'counter', id: 'visits' }
let receivedByStranger = 0
await stranger.subscribeToEventStored(() => void receivedByStranger++)

let hearThird = () => {}
const heardThird = new Promise<void>(resolve => (hearThird = resolve))
const subscription = await reader.subscribeToEventStored(notice => {
  console.log(`${notice.eventId} ${notice.eventType}, stored by ${notice.nodeId}`)
  if (notice.version === 3) hearThird()
})

const ref = writer.spawn(counter, 'visits')
for (const by of [1, 2, 3]) await ref.ask('add', by)
await heardThird
await subscription.unsubscribe()

console.log(`the reader's cache is at version ${reader.store.cachedVersion(visits)}`)
console.log(`it made ${reader.store.cacheStats().misses} reads to get there`)

// The reader can append after version 3. A writer that expects version 3 now gets a conflict.
const next = await reader.store.append(visits, [{ type: 'added', data: 4 }], {
  expected: 3,
})
if (next.ok) console.log(`the reader stored version ${next.version}`)
const late = await writer.store.append(visits, [{ type: 'added', data: 5 }], {
  expected: 3,
})
if (!late.ok)
  console.log(`the writer expected ${late.expected} and learned ${late.actual}`)

console.log(`the stranger received ${receivedByStranger} notices`)
console.log(
  `and its counter is at ${(await stranger.spawn(counter, 'visits').state()).state}`,
)
