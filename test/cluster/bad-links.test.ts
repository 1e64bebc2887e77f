// One bad link slows nobody else: three nodes on NATS, one of which is cut off in part. Commands to its actors are given a
// long time, so a command that waits for the cut node until its own deadline fails the test.

import t from 'tap'

import { defineActor, event, jetstream, type Node, startNode } from '../../src/index.js'
import { nodeSubjects } from '../../src/nats/subjects.js'
import { NatsMembership } from '../../src/cluster/nats-membership.js'
import { ownerOf } from '../../src/cluster/placement.js'
import { newId } from '../../src/model/id.js'
import { Connection } from '../../src/nats/connection.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

await using server = await startNats()
const heartbeat = { every: 100, deadAfter: 1_000 }
const timeout = 600_000

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => ({ events: event('added', by), reply: after => after }),
  },
  evolve: { added: (state, by: number) => state + by },
})

const idsOf = (node: Pick<Node, 'members'>) => node.members().map(({ id }) => id)

async function startThree() {
  const namespace = `n-${newId()}`
  const proxy = await startProxy(server.url)
  const start = (id: string, servers: string) =>
    startNode({
      namespace,
      id,
      actors: [counter],
      store: jetstream({ servers, ignoreClusterUpdates: true, heartbeat }),
    })
  const nodes = [
    await start('a', server.url),
    await start('b', server.url),
    await start('c', proxy.url),
  ] as const
  const [a, b, c] = nodes
  await until(() => nodes.every(node => node.members().length === 3))
  const ids = Array.from({ length: 60 }, (_, i) => `x${i}`)
  const address = (id: string) => ({ type: 'counter', id })
  return {
    proxy,
    a,
    b,
    c,
    others: [a, b],
    ofC: ids.filter(id => ownerOf(address(id), a.members())?.id === 'c').slice(0, 8),
    add: (node: Node, id: string) => node.spawn(counter, id).ask('add', 1, { timeout }),
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map(node => node.close({ timeout: 2_000 })))
      await proxy[Symbol.asyncDispose]()
    },
  }
}

for (const direction of ['toServer', 'toClient'] as const)
  await t.test(`the actors of a node are taken over, cut ${direction}`, async t => {
    await using three = await startThree()
    const { proxy, others, a, b, c, ofC, add } = three
    for (const id of ofC) await add(a, id)
    proxy.hold(direction)
    const outcomes = await Promise.all(
      others.flatMap(node => ofC.map(id => add(node, id))),
    )
    t.ok(
      outcomes.every(({ ok }) => ok),
      'what hung is sent to the next owner',
    )
    t.strictSame(others.map(idsOf), [
      ['a', 'b'],
      ['a', 'b'],
    ])
    for (const id of ofC) await add(b, id)
    proxy.heal()
    await until(() => [a, b, c].every(node => node.members().length === 3), {
      timeout: 60_000,
      describe: 'all are members again',
    })
    for (const id of ofC) await add(c, id)
    for (const id of ofC) t.equal((await a.spawn(counter, id).state()).state, 5)
  })

/** Members without nodes; `lose` loses the requests to one of them, and nothing else. */
async function joinMembers(ids: readonly string[]) {
  const namespace = `m-${newId()}`
  const losing = new Set<string>()
  const joined = await Promise.all(
    ids.map(async id => {
      const connection = await Connection.open({ servers: server.url }, namespace, id)
      for (const from of ids)
        await connection.subscribe(nodeSubjects(namespace).node(id), message => {
          // Each request is answered once, by the listener for its sender.
          if (message.reply?.startsWith(inboxOf.get(from)!) === true)
            if (!losing.has(`${from}${id}`)) message.respond()
        })
      const member = {
        id,
        types: ['counter'],
        weight: 1,
        version: '0.0.0',
        metadata: {},
        incarnation: Date.now(),
      }
      return { id, connection, member }
    }),
  )
  const inboxOf = new Map(
    joined.map(({ id, connection }) => [id, connection.requests.inbox.slice(0, -1)]),
  )
  const memberships = new Map<string, NatsMembership>()
  for (const { id, connection, member } of joined)
    memberships.set(
      id,
      await NatsMembership.join(connection, namespace, member, heartbeat),
    )
  const views = () =>
    ids.map(id =>
      memberships
        .get(id)!
        .members()
        .map(member => member.id)
        .join(''),
    )
  await until(() => views().every(view => view === ids.join('')))
  return {
    memberships,
    losing,
    sees: (...expected: readonly string[]) =>
      until(() => views().join(' ') === expected.join(' '), {
        describe: `the views are ${expected.join(' ')}`,
      }),
    async [Symbol.asyncDispose]() {
      for (const membership of memberships.values()) await membership.close()
      for (const { connection } of joined) await connection.close()
    },
  }
}

await t.test('requests are lost, and heartbeats pass', async t => {
  await using at = await joinMembers(['a', 'b', 'c'])
  const { losing, memberships } = at
  const dead: string[] = []
  memberships.get('a')!.onChange(change => dead.push(...change.dead.map(({ id }) => id)))
  losing.add('ac').add('bc')
  await at.sees('ab', 'ab', 'ab')
  await until(() => dead.length > 0)
  t.strictSame(dead, ['c'], 'what a has sent to it is sent again')
  t.strictSame(memberships.get('a')!.unreachable(), ['c'])
  t.strictSame(memberships.get('c')!.unreachable(), [], 'c reaches the others')
  losing.clear()
  await at.sees('abc', 'abc', 'abc')
})

await t.test('one node does not reach one other', async t => {
  await using at = await joinMembers(['a', 'b', 'c'])
  const { losing, memberships } = at
  const dead: string[] = []
  memberships.get('b')!.onChange(change => dead.push(...change.dead.map(({ id }) => id)))
  losing.add('ac')
  await at.sees('ab', 'ab', 'ab')
  t.strictSame(dead, [], 'b still gets the answers of c')
  losing.clear()
  await at.sees('abc', 'abc', 'abc')
})

await t.test('of two, each serves what it reaches', async () => {
  await using at = await joinMembers(['a', 'b'])
  at.losing.add('ab')
  await at.sees('a', 'ab')
  at.losing.add('ba')
  await at.sees('a', 'b')
  at.losing.clear()
  await at.sees('ab', 'ab')
})
