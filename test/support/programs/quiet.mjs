// A program that uses the library without asking it to speak, in good times and bad.

import { defineActor, event, jetstream, startNode } from 'cairn-es'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, /** @type {number} */ by) => event('added', by),
    fail: () => {
      throw new Error('this decision fails on purpose')
    },
  },
  evolve: { added: (state, /** @type {number} */ by) => state + by },
})

const node = await startNode({
  namespace: 'quiet',
  store: jetstream({ servers: process.argv[2] ?? '' }),
  actors: [counter],
})
const ref = node.spawn(counter, 'c')
await ref.ask('add', 1)
await ref.tell('fail')
await ref.ask('fail').catch(() => {})
// An actor told to fail has failed by the time it answers again.
await ref.ask('add', 1)
await node.close()
