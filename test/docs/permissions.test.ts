// The permissions in docs/operations.md, on a real server: they allow a namespace's node all of its
// work, and nothing in another namespace.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { cancel, schedule } from '../../src/actor/effects.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { isCairnError } from '../../src/model/errors.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { blocksOf } from './markdown.js'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => event('added', by),
    addLater: (_state, by: number) => [
      event('added', 0),
      cancel('another'),
      schedule('add', { after: 10 }, 'add', by),
    ],
    forget: () => [event('added', 0), cancel('far')],
    remember: () => [event('added', 0), schedule('far', { after: 3_600_000 }, 'add', 1)],
  },
  evolve: { added: (state, by: number) => state + by },
})

const block = blocksOf('docs/operations.md').find(
  ({ info }) => info === 'text permissions',
)
const config = block!.text
  .replace('$OPERATOR_PASSWORD', 'operator-password')
  .replace('$TENANT_A_PASSWORD', 'tenant-a-password')

const nats = await startNats({ config })
t.teardown(() => nats[Symbol.asyncDispose]())
const as = (user: string) =>
  jetstream({ servers: nats.url, user, password: `${user}-password` })

/** The code of the error that the work ends with, or `none`. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return isCairnError(error) ? error.code : String(error)
  }
}

await t.test('a tenant cannot create its stream, and an operator can', async t => {
  const open = as('tenant-a').open({ namespace: 'tenant-a', nodeId: 'early' })
  t.equal(await codeOf(open), 'unauthorized')
  for (const namespace of ['tenant-a', 'tenant-b']) {
    await using made = await as('operator').open({ namespace, nodeId: 'operator' })
    t.equal(await made.store.lastPosition(), 0)
  }
})

await t.test('the permissions of its namespace allow a node all of its work', async t => {
  const start = (id: string, actors = [counter]) =>
    startNode({ namespace: 'tenant-a', id, store: as('tenant-a'), actors })
  await using one = await start('one')
  await using two = await start('two')
  await using onlooker = await start('onlooker', [])
  await until(() => onlooker.members().length === 2)

  let received = 0
  await onlooker.subscribeToEventStored(() => void received++)
  for (const id of ['a', 'b.c', 'd', 'e'])
    for (const node of [one, two, onlooker])
      t.equal((await node.spawn(counter, id).ask('add', 1)).ok, true)
  await until(() => received === 12)

  const { store } = onlooker
  t.strictSame(await one.spawn(counter, 'b.c').state(), { state: 3, version: 3 })
  const read: string[] = []
  for await (const stored of store.read(
    { type: 'counter', id: 'b.c' },
    { backwards: true },
  ))
    if (stored.kind === 'event') read.push(stored.id)
  t.strictSame(read, ['counter/b.c/3', 'counter/b.c/2', 'counter/b.c/1'])
  const actors = new Set<string>()
  for await (const { id } of store.actors()) actors.add(id)
  t.strictSame(actors, new Set(['a', 'b.c', 'd', 'e']))
  const stop = new AbortController()
  for await (const { position } of store.follow({ signal: stop.signal }))
    if (position === 12) stop.abort()
  // Also a transaction over several actors, with one that is only read.
  const transacted = await one.transact(async tx => {
    await tx.ask(counter, 'd', 'add', 1)
    await tx.load(counter, 'a')
    await tx.ask(counter, 'e', 'add', 1)
  })
  t.equal(transacted.ok, true)
  // And timers: set, listed, cancelled and fired.
  const later = two.spawn(counter, 'later')
  const waiting = async () => {
    const names: string[] = []
    for await (const { name } of onlooker.timers()) names.push(name)
    return names.join()
  }
  await later.ask('remember')
  await until(async () => (await waiting()) === 'far', { timeout: 30_000 })
  await later.ask('forget')
  await until(async () => (await waiting()) === '', { timeout: 30_000 })
  await later.ask('addLater', 7)
  await until(async () => (await later.state()).state === 7, { timeout: 30_000 })
})

await t.test(
  'the permissions of its namespace forbid everything in another namespace',
  async t => {
    await using open = await as('tenant-a').open({
      namespace: 'tenant-a',
      nodeId: 'curious',
    })
    const { bus } = open
    t.equal(await codeOf(bus.subscribeAcrossNamespaces(() => {})), 'unauthorized')
    t.equal(
      await codeOf(bus.subscribeToEventStored('tenant-b', () => {})),
      'unauthorized',
    )
    const other = as('tenant-a').open({ namespace: 'tenant-b', nodeId: 'curious' })
    t.not(await codeOf(other), 'none')
  },
)
