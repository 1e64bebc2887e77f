// A node that builds a projection, until it is killed.
//
//     node projecting.mjs '{"servers":…|"dir":…, "namespace":…, "id":…}'
//
// It says so on stdout each time that it has folded some more events.

import { appendFileSync } from 'node:fs'

import {
  defineActor,
  defineProjection,
  embedded,
  event,
  jetstream,
  startNode,
} from 'cairn-es'

/** @typedef {{ servers?: string, dir?: string, namespace: string, id: string, journal: string }} Options */
/** @type {Options} */
const { servers, dir = '', namespace, id, journal } = JSON.parse(process.argv[2] ?? '')

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: {
    deposit: (_state, /** @type {number} */ amount) => event('deposited', amount),
  },
  evolve: { deposited: (state, /** @type {number} */ amount) => state + amount },
})

let folded = 0
const sums = defineProjection({
  name: 'sums',
  from: account,
  initial: { sum: 0, count: 0 },
  when: {
    deposited: ({ sum, count }, { data }) => {
      // Not what a fold should do; but it tells the test when to kill.
      if (++folded % 50 === 0) appendFileSync(journal, `${id} ${folded}\n`)
      return { sum: sum + data, count: count + 1 }
    },
  },
})

const node = await startNode({
  namespace,
  id,
  store: servers === undefined ? embedded({ dir }) : jetstream({ servers }),
  projections: [sums],
})
process.once('SIGTERM', () => void node.close())
