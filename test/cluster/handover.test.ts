// A node that leaves: the next owners have read its actors before it is gone.

import t from 'tap'

import { defineActor, event, memory, startNode } from '../../src/index.js'
import { handOver } from '../../src/cluster/handover.js'
import type { NodeRequest } from '../../src/cluster/transport.js'
import { newId } from '../../src/model/id.js'
import { until } from '../support/wait.js'

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => event('added', by),
    addAll: (_state, all: number[]) => all.map(by => event('added', by)),
  },
  evolve: { added: (state, by: number) => state + by },
  // So that waking reads more than the last commit.
  stateBytesMax: 0,
})
const ids = Array.from({ length: 40 }, (_, i) => `c${i}`)

await t.test('the first commands at the next owner wake nothing', async t => {
  const store = memory()
  const start = (id: string) =>
    startNode({ namespace: 'n', id, store, actors: [counter] })
  await using stays = await start('stays')
  const leaves = await start('leaves')
  await using caller = await startNode({ namespace: 'n', id: 'caller', store })
  const addAll = () =>
    Promise.all(
      ids.map(id => caller.spawn(counter, id).ask('add', 1, { commandId: newId() })),
    )
  for (let i = 0; i < 5; i++) await addAll()
  const { residents } = leaves.stats().actors
  t.ok(residents > 0)
  t.equal(stays.stats().actors.residents, ids.length - residents)

  const closing = leaves.close()
  // Commands that come meanwhile are answered by either node, once.
  await addAll()
  await closing
  await until(() => caller.members().length === 1)
  t.equal(stays.stats().actors.residents, ids.length)
  const { wakes } = stays.stats().actors
  await addAll()
  t.equal(stays.stats().actors.wakes, wakes)
  for (const id of ids)
    t.match(await caller.spawn(counter, id).state(), {
      state: 7,
      version: 7,
      exists: true,
    })
})

await t.test('an actor that cannot be read keeps no other one back', async t => {
  const store = memory()
  await using node = await startNode({
    namespace: 'n',
    id: 'a',
    store,
    actors: [counter],
  })
  const open = await store.open({ namespace: 'n', nodeId: 'other' })
  const actor = (id: string) => ({ type: 'counter', id })
  await open.store.append(actor('good'), [{ type: 'added', data: 1 }])
  await open.store.append(actor('bad'), [{ type: 'unheard of' }])
  const actors = [actor('bad'), actor('good'), { type: 'other', id: 'x' }]
  const request: NodeRequest = { kind: 'warm', actor: actors[0]!, actors }
  t.equal(await open.transport.request(request, { to: 'a' }), 1)
  t.equal(node.stats().actors.parked, 1)
  const tooMany = Array.from({ length: 1_001 }, () => actor('good'))
  await t.rejects(open.transport.request({ ...request, actors: tooMany }, { to: 'a' }), {
    code: 'invalid-command',
  })
  await open.close()
})

await t.test('each next owner is asked for its own, 1,000 at a time', async t => {
  const asked: [to: string | undefined, actors: number][] = []
  const read = await handOver({
    transport: {
      request(request, { to } = {}) {
        const count = request.kind === 'warm' ? request.actors.length : 0
        asked.push([to, count])
        return to === 'old' ? Promise.reject(new Error('?')) : Promise.resolve(count)
      },
    },
    actors: [
      ...Array.from({ length: 2_500 }, (_, i) => ({ type: 'counter', id: `x${i}` })),
      { type: 'counter', id: 'old' },
      { type: 'counter', id: 'nobody' },
      { type: 'cairn-supervisor', id: 'x' },
    ],
    nextOwner: ({ id }) =>
      id === 'nobody' ? undefined : { id: id === 'old' ? 'old' : 'new' },
    timeout: 100,
  })
  t.equal(read, 2_500)
  t.strictSame(asked, [
    ['new', 1_000],
    ['new', 1_000],
    ['new', 500],
    ['old', 1],
  ])
})
