// Two nodes of one namespace, and one of another, on a NATS server. What the first stores
// is announced by the server itself; the second one's version cache follows without a read,
// and the other namespace hears nothing.
//
// NATS_URL says where the server is; `npm run nats` starts one.

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
let heardByStranger = 0
await stranger.subscribeToEventStored(() => void heardByStranger++)

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

// The reader may now append behind version 3; whoever still believes in 2 is told better.
const next = await reader.store.append(visits, [{ type: 'added', data: 4 }], {
  expected: 3,
})
if (next.ok) console.log(`the reader stored version ${next.version}`)
const late = await writer.store.append(visits, [{ type: 'added', data: 5 }], {
  expected: 3,
})
if (!late.ok)
  console.log(`the writer expected ${late.expected} and learned ${late.actual}`)

console.log(`the stranger heard ${heardByStranger} notices`)
console.log(
  `and its counter is at ${(await stranger.spawn(counter, 'visits').state()).state}`,
)
