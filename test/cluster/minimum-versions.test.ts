// MINIMUM-1 and MINIMUM-2: which versions of actor types and of the wire format the nodes of a namespace must have.

import t from 'tap'

import { encode } from '../../src/codec/msgpack.js'
import type { Member } from '../../src/cluster/membership.js'
import { memory, type Node, type NodeOptions, startNode } from '../../src/index.js'
import { isCairnError } from '../../src/model/errors.js'
import {
  membersBehind,
  readMinimum,
  setMinimum,
} from '../../src/runtime/minimum-versions.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'

const till = (version: number) =>
  defineActor({
    type: 'till',
    version,
    initialState: 0,
    decide: { add: (_state, n: number) => event('added', n) },
    evolve: { added: (sum, n) => sum + n },
  })

async function place() {
  const store = memory()
  const namespace = 'least'
  const open = await store.open({ namespace, nodeId: 'operator' })
  const nodes: Node[] = []
  const start = async (id: string, version: number, more: Partial<NodeOptions> = {}) => {
    const options = {
      namespace,
      store,
      id,
      actors: [till(version)],
      ...more,
    }
    const node = await startNode(options)
    nodes.push(node)
    return node
  }
  const observer = await open.join()
  const members = () => Promise.resolve(observer.members())
  return {
    open,
    start,
    members,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map(node => node.close()))
      await observer.close()
      await open.close()
    },
  }
}

await t.test('a node below the minimum is refused, and nothing of it stays', async t => {
  await using here = await place()
  const { documents } = here.open
  t.strictSame(await readMinimum(documents), { wire: 1, actors: {} })
  const node = await here.start('new', 3)
  t.strictSame(await setMinimum(documents, here.members, { actors: { till: 2 } }), {
    wire: 1,
    actors: { till: 2 },
  })

  await t.rejects(here.start('old', 1), {
    code: 'version-behind',
    message:
      /^Namespace least needs version 2 of actor type till, and this node has 1\. Start a newer one/,
    details: { actorType: 'till', needs: 2, runs: 1 },
  })
  t.strictSame(
    node.members().map(({ id }) => id),
    ['new'],
  )
  await here.start('newer', 4)
  await here.start('client', 1, { serve: false })

  await setMinimum(documents, here.members, { actors: { till: 1 } })
  await here.start('old', 1)
  t.equal(node.members().length, 3)
})

await t.test(
  'a node that finds itself below the minimum once it has joined leaves again',
  async t => {
    await using here = await place()
    const { documents } = here.open
    const node = await here.start('new', 2)
    // The operator's command comes between the first look and the second.
    const store = {
      kind: 'memory' as const,
      open: () =>
        Promise.resolve({
          ...here.open,
          close: () => Promise.resolve(),
          join: async (self?: Member) => {
            await setMinimum(documents, here.members, { actors: { till: 2 } })
            return here.open.join(self)
          },
        }),
    }
    await t.rejects(here.start('old', 1, { store }), { code: 'version-behind' })
    t.strictSame(
      node.members().map(({ id }) => id),
      ['new'],
    )
  },
)

await t.test('a minimum is not set while a member is behind', async t => {
  await using here = await place()
  const { documents } = here.open
  await here.start('old', 1)
  await here.start('new', 2)
  await t.rejects(
    setMinimum(documents, here.members, { actors: { till: 2, other: 7 } }),
    {
      code: 'version-behind',
      message:
        'Nothing was changed: node "old" has version 1 of till. Replace these nodes first.',
    },
  )
  t.strictSame(await readMinimum(documents), { wire: 1, actors: {} })

  // A node joins while the document is written.
  let calls = 0
  const late = () => (++calls === 1 ? Promise.resolve([]) : here.members())
  await t.rejects(setMinimum(documents, late, { actors: { till: 2 } }), {
    code: 'version-behind',
  })
  t.equal(calls, 2)
  t.strictSame(await readMinimum(documents), { wire: 1, actors: {} }, 'it was put back')
})

await t.test('two operators at the same time: both changes are kept', async t => {
  await using here = await place()
  const { documents } = here.open
  const set = (actors: Record<string, number>) =>
    setMinimum(documents, here.members, { actors })
  await Promise.all([set({ a: 2 }), set({ b: 3 }), set({ c: 4 })])
  t.strictSame((await readMinimum(documents)).actors, { a: 2, b: 3, c: 4 })
})

await t.test('wire versions', async t => {
  await using here = await place()
  const { documents } = here.open
  t.strictSame((await setMinimum(documents, here.members, { wire: 3 })).wire, 3)
  for (const wire of [0, 4, 1.5])
    await t.rejects(setMinimum(documents, here.members, { wire }), {
      code: 'invalid-option',
    })
  const member = {
    id: 'm',
    types: [],
    weight: 1,
    version: '1',
    incarnation: 1,
    metadata: {},
  }
  t.strictSame(membersBehind([member], { wire: 2, actors: {} }), [], 'it does not say')
  t.strictSame(membersBehind([member], { wire: 3, actors: {} }), [
    'node "m" reads wire version 2',
  ])
  t.strictSame(membersBehind([{ ...member, wire: 1 }], { wire: 2, actors: {} }), [
    'node "m" reads wire version 1',
  ])

  // A later build has required what this one does not know.
  const found = await documents.get(['minimum-versions'])
  await documents.put(
    ['minimum-versions'],
    encode({ wire: 9, actors: {} }),
    found!.revision,
  )
  await t.rejects(here.start('old', 1), {
    code: 'version-behind',
    message: /needs wire version 9, and this build reads up to 3/,
  })
})

await t.test('a damaged document is named', async t => {
  for (const bytes of [
    Buffer.from('{'),
    encode(1),
    encode({ wire: 1, actors: { 'a b': 1 } }),
  ]) {
    await using here = await place()
    await here.open.documents.put(['minimum-versions'], bytes, 0)
    const error: unknown = await here.start('n', 1).catch((e: unknown) => e)
    t.ok(isCairnError(error, 'storage-failed'), String(error))
    t.match((error as Error).message, 'minimum-versions is damaged')
  }
})
