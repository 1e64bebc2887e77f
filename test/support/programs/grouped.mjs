// A node whose reactors and actors tell on stdout, in a line of JSON each, what they do.
//
//     node grouped.mjs '{"servers":…, "namespace":…, "id":…, "groups":["pricing", …], "hosts":true}'
//
// It runs a reactor for each group and hosts the actors where `hosts` is true, until SIGTERM.

import {
  defineActor,
  defineReactor,
  defineTopic,
  event,
  jetstream,
  publish,
  send,
  startNode,
} from 'cairn-es'

/** @typedef {{ servers: string, namespace: string, id: string, groups: string[], hosts?: boolean }} Options */
/** @type {Options} */
const {
  servers,
  namespace,
  id,
  groups,
  hosts = false,
} = JSON.parse(process.argv[2] ?? '')

/** @param {object} line */
const tell = line => process.stdout.write(`${JSON.stringify(line)}\n`)

const ended = defineTopic('trips.ended')
const mailed = defineTopic('mails.sent')

const account = defineActor({
  type: 'account',
  initialState: 0,
  decide: {
    charge: (_state, /** @type {number} */ n, { commandId }) => {
      // Not what a decision should do; but it shows which processes have worked on the command.
      tell({ kind: 'charging', commandId })
      return event('charged', n)
    },
  },
  evolve: { charged: (sum, /** @type {number} */ n) => sum + n },
})
const trip = defineActor({
  type: 'trip',
  publishes: [ended],
  initialState: 0,
  decide: {
    end: (_state, /** @type {number} */ n, { actor }) => [
      event('ended', n),
      send(account, actor.id, 'charge', n),
      publish(ended, n),
    ],
  },
  evolve: { ended: count => count + 1 },
})

const node = await startNode({
  namespace,
  id,
  store: jetstream({ servers }),
  actors: hosts ? [trip, account] : [],
  reactors: groups.map(name =>
    defineReactor({
      name,
      on: [ended, mailed],
      handle: ({ id: message }) => void tell({ kind: 'handled', group: name, message }),
    }),
  ),
})

/** What each group was last told to own. */
const told = new Map()
const looking = setInterval(() => {
  for (const [group, { partitions }] of Object.entries(node.stats().reactors)) {
    if (told.get(group) === partitions) continue
    told.set(group, partitions)
    tell({ kind: 'owns', group, partitions })
  }
}, 20)
process.once('SIGTERM', () => {
  clearInterval(looking)
  void node.close()
})
