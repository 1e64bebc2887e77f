// A client of a trust run: nodes that serve nothing, and the workloads.

import { startNode } from 'cairn-es'

import { randomFrom } from '../../src/testing/random.js'
import { definitionsOf } from './actors.js'
import { backendOf, control, journalOf, settingsOf } from './program.js'
import { alarms, doors, lists, registers, trains } from './workloads/asks.js'
import { consumes, parcelsOut, publishes, sends } from './workloads/messages.js'
import { openPurses, tapes, transfers } from './workloads/store.js'
import type { Workload } from './workloads/workload.js'

const table: Readonly<Record<string, Workload>> = {
  lists,
  doors,
  registers,
  trains,
  alarms,
  tapes,
  transfers: async context => {
    await openPurses(context)
    await transfers(context)
  },
  sends,
  publishes,
  parcelsOut,
  consumes,
}

const settings = settingsOf()
const { name, namespaces, seed, store, workloads = Object.keys(table) } = settings
const journal = journalOf(settings)
const stopping = new AbortController()
const nodes = await Promise.all(
  namespaces.map(namespace =>
    startNode({ namespace, store: backendOf(store), id: name }),
  ),
)
/** Read states: a node needs the definitions for that, and would be a host with them if it served. */
const readers = await Promise.all(
  namespaces.map(namespace =>
    startNode({
      namespace,
      store: backendOf(store),
      id: `${name}-reader`,
      actors: definitionsOf('old'),
      serve: false,
    }),
  ),
)
const running = Promise.all(
  workloads.map(workload =>
    table[workload]!({
      nodes,
      readers,
      journal,
      client: name,
      random: randomFrom(seed, `${name}/${workload}`),
      signal: stopping.signal,
    }),
  ),
)

control(async () => {
  stopping.abort()
  await running
  await Promise.all([...nodes, ...readers].map(node => node.close()))
})
