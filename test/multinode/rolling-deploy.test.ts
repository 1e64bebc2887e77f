// A rolling deploy and its roll back under load: three nodes on one server are replaced one after the other, from
// version 1 of a behavior to version 2 and back, while commands are sent. Every command is answered in the end under the
// id that it was first sent with, and the log has each exactly once.

import t from 'tap'

import { isCairnError } from '../../src/index.js'
import { defineActor, event, jetstream, type Node, startNode } from '../../src/index.js'
import { freshNamespace } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

interface Tally {
  readonly sum: number
}

const added = ({ sum }: Tally, { by }: { by: number }) => ({ sum: sum + by })
const add = (_state: Tally, data: { by: number }) => event('added', data)

const tally = defineActor({
  type: 'tally',
  initialState: { sum: 0 },
  decide: { add },
  evolve: { added },
})

const newTally = defineActor({
  type: 'tally',
  version: 2,
  initialState: { sum: 0 },
  decide: {
    add,
    clear: (_state, data: object) => event('cleared', data),
    read: state => ({ reply: state.sum }),
  },
  evolve: { added, cleared: () => ({ sum: 0 }) },
})

const actors = Array.from({ length: 12 }, (_, i) => ({ type: 'tally', id: `t${i}` }))
/** Those that get commands which only version 2 knows; the others never need it. */
const needy = actors.slice(0, 4)

await using server = await startNats()
const namespace = freshNamespace()
const store = () => jetstream({ servers: server.url })

let started = 0
const start = (definition: typeof tally | typeof newTally): Promise<Node> => {
  const id = `v${definition.behavior.version}-${++started}`
  return startNode({ namespace, store: store(), id, actors: [definition] })
}

/** Sends a command until it is answered, always under its id; an error must allow that. */
async function sendUntilAnswered(
  client: Node,
  actor: { type: string; id: string },
  command: string,
  data: object,
  commandId: string,
  behind: Set<string>,
): Promise<void> {
  for (;;)
    try {
      const outcome = await client.ask(actor, command, data, { commandId })
      if (!outcome.ok) throw new Error(`${commandId} was rejected`)
      behind.delete(actor.id)
      return
    } catch (error) {
      if (!isCairnError(error) || !error.retryable) throw error
      if (error.code === 'version-behind') behind.add(actor.id)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
}

await t.test('a deploy and its roll back lose nothing and repeat nothing', async t => {
  const nodes: Node[] = []
  for (let i = 0; i < 3; i++) nodes.push(await start(tally))
  const client = await startNode({ namespace, store: store(), id: 'client', actors: [] })
  const sent = new Set<string>()
  /** Actors whose last answer was `version-behind`. */
  const behind = new Set<string>()
  const cleared = new Set<string>()
  let sequence = 0
  let isLoaded = true
  let knowsClear = false
  const work = async (own: typeof actors) => {
    for (let i = 0; isLoaded; i++) {
      const actor = own[i % own.length]!
      const clears = knowsClear && needy.includes(actor) && i % 3 === 0
      const commandId = `c${++sequence}`
      const [command, data]: [string, object] = clears
        ? ['clear', {}]
        : ['add', { by: 1 }]
      await sendUntilAnswered(client, actor, command, data, commandId, behind)
      sent.add(commandId)
      if (clears) cleared.add(actor.id)
    }
  }
  // An actor that waits for a capable node holds up only its own worker.
  const workers = Promise.all([
    ...needy.map(actor => work([actor])),
    ...[4, 6, 8, 10].map(i => work(actors.slice(i, i + 2))),
  ])
  const failed = workers.then(() => {})
  const answeredMore = async (count: number, what: string) => {
    const before = sent.size
    const isMore = until(() => sent.size >= before + count, { describe: what })
    await Promise.race([isMore, failed])
  }
  const replace = async (definition: typeof tally | typeof newTally) => {
    const next = await start(definition)
    nodes.push(next)
    await until(() => client.members().some(({ id }) => id === next.id))
    await answeredMore(60, 'commands are answered while the versions differ')
    await nodes.shift()!.close()
    await answeredMore(60, 'commands are answered after the old node left')
  }

  await answeredMore(60, 'commands are answered before the deploy')
  for (let i = 0; i < 3; i++) {
    await replace(newTally)
    knowsClear = true
  }
  t.strictSame(
    client.members().map(({ behaviors }) => behaviors),
    Array.from({ length: 3 }, () => ({ tally: 2 })),
  )
  await until(() => cleared.size === needy.length, { describe: 'version 2 is used' })

  // Back: the last node of version 2 leaves, and what needs it waits for the next one.
  knowsClear = false
  for (let i = 0; i < 3; i++) await replace(tally)
  await until(() => needy.every(({ id }) => behind.has(id)), {
    describe: 'the actors with events of version 2 are behind, retryably',
  })
  t.ok(
    [...behind].every(id => needy.some(actor => actor.id === id)),
    'and no others',
  )
  await answeredMore(60, 'the other actors go on')
  nodes.push(await start(newTally))
  await until(() => behind.size === 0, { describe: 'a capable node frees them at once' })
  await answeredMore(60, 'commands are answered in the end')
  isLoaded = false
  await workers

  const stored: string[] = []
  const byVersion = new Map<string, number>()
  for await (const record of client.store.readAll())
    if (record.kind === 'commit')
      for (const { commandId, nodeId } of record.events) {
        stored.push(commandId!)
        const version = nodeId.slice(0, 2)
        byVersion.set(version, (byVersion.get(version) ?? 0) + 1)
      }
  t.equal(new Set(stored).size, stored.length, 'nothing twice')
  t.strictSame(
    [...sent].filter(id => !new Set(stored).has(id)),
    [],
    'nothing lost',
  )
  t.equal(stored.length, sent.size)
  t.comment(`commands by version: ${JSON.stringify(Object.fromEntries(byVersion))}`)
  for (const node of nodes) {
    t.equal(node.stats().actors.parked, 0, `${node.id} has parked no actor`)
    await node.close()
  }
  await client.close()
})
