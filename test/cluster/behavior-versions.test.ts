// A rolling deploy in one process: nodes with two versions of a behavior share one namespace, and actors that need the
// newer version are owned by the nodes that have it.

import t from 'tap'
import { assign, fromCallback, setup } from 'xstate'

import { BehaviorVersions } from '../../src/cluster/behavior-versions.js'
import type { Member, MembershipChange } from '../../src/cluster/membership.js'
import { ownerOf } from '../../src/cluster/placement.js'
import { readMember } from '../../src/cluster/read-member.js'
import {
  contract,
  defineActor,
  defineReactor,
  defineTopic,
  event,
  memory,
  type Node,
  type NodeOptions,
  send,
  schedule,
  startNode,
} from '../../src/index.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { takingLog } from '../support/log.js'
import { until } from '../support/wait.js'

interface Till {
  readonly total: number
}

const added = (state: Till, { amount }: { amount: number }) => ({
  total: state.total + amount,
})

const first = defineActor({
  type: 'till',
  initialState: { total: 0 },
  decide: {
    add: (_state, data: { amount: number }) => event('added', data),
    read: state => ({ reply: state.total }),
  },
  evolve: { added },
})

/** Knows a command and an event more. */
const second = defineActor({
  type: 'till',
  version: 2,
  initialState: { total: 0 },
  decide: {
    add: (_state, data: { amount: number }) => event('added', data),
    read: state => ({ reply: state.total }),
    double: () => event('doubled', {}),
    ring: (_state, { at }: { at: number }) => [
      event('added', { amount: 0 }),
      schedule('bell', { at }, 'double', {}),
    ],
    order: (_state, { id }: { id: string }) => [
      event('added', { amount: 0 }),
      send(contract('till'), id, 'double', {}),
    ],
  },
  evolve: { added, doubled: state => ({ total: state.total * 2 }) },
})

const doubling = defineTopic('doubling')

type Definition = NodeOptions['actors']

function cluster() {
  const store = memory()
  const nodes: Node[] = []
  const start = async (
    id: string,
    definition: NonNullable<Definition>[number],
    more: Partial<NodeOptions> = {},
  ) => {
    const node = await startNode({
      namespace: 'deploy',
      store,
      id,
      actors: [definition],
      ...more,
    })
    nodes.push(node)
    return node
  }
  const close = () => Promise.all(nodes.map(node => node.close()))
  return { start, [Symbol.asyncDispose]: async () => void (await close()) }
}

/** Addresses of actors that the node of that id owns when versions do not matter. */
function ownedBy(node: Node, id: string, type = 'till') {
  const ids = Array.from({ length: 200 }, (_, i) => ({ type, id: `a${i}` }))
  return ids.filter(actor => ownerOf(actor, node.members())?.id === id)
}

/** An old node knows the command no more than its definition does. */
const tellDouble = (node: Node, id: string, commandId: string) =>
  node.id === 'old'
    ? node.spawn(first, id).tell('double' as 'read', undefined, { commandId })
    : node.spawn(second, id).tell('double', undefined, { commandId })

const writers = async (node: Node, actor: { type: string; id: string }) => {
  const found: string[] = []
  for await (const record of node.store.commits(actor))
    if (record.kind === 'commit') found.push(record.nodeId)
  return found
}

await t.test('a command that only the newer version knows moves its actor', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  const neu = await at.start('new', second)
  for (const [i, sender] of [old, neu].entries()) {
    const actor = ownedBy(old, 'old')[i]!
    await sender.ask(actor, 'add', { amount: 4 })
    t.match(await sender.ask(actor, 'double', {}), { ok: true, version: 2 })
    for (const other of [old, neu]) await other.ask(actor, 'add', { amount: 1 })
    t.match(await old.ask(actor, 'read'), { reply: 10 })
    t.strictSame(await writers(old, actor), ['old', 'new', 'new', 'new'])
    t.match(await neu.state(actor), {
      state: { total: 10 },
      version: 4,
      position: Number,
      exists: true,
    })
    t.match(await old.state(actor), {
      state: { total: 10 },
      version: 4,
      position: Number,
      exists: true,
    })
  }
})

await t.test('an unknown command is refused by the newest version', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  await at.start('new', second)
  const [actor] = ownedBy(old, 'old')
  await t.rejects(old.ask(actor!, 'treble', {}), {
    code: 'unknown-command',
    details: { known: ['add', 'read', 'double', 'ring', 'order'] },
  })
})

await t.test('a query moves its actor too, and is answered', async t => {
  await using at = cluster()
  const asking = defineActor({
    type: 'till',
    version: 2,
    initialState: { total: 0 },
    decide: { peek: state => ({ reply: state.total }) },
    evolve: { added },
  })
  const old = await at.start('old', first)
  await at.start('new', asking)
  const [actor] = ownedBy(old, 'old')
  await old.ask(actor!, 'add', { amount: 4 })
  t.match(await old.ask(actor!, 'peek'), { reply: 4 })
  t.match(await old.ask(actor!, 'peek'), { reply: 4 })
  await t.rejects(old.ask(actor!, 'add', { amount: 4 }), {
    code: 'unknown-command',
    details: { known: ['peek'] },
  })
})

await t.test(
  'nodes of the newer version own their share, and only what needs them',
  async t => {
    await using at = cluster()
    const old = await at.start('old', first)
    const neu = await at.start('new', second)
    const olds = ownedBy(old, 'old').slice(0, 5)
    const news = ownedBy(old, 'new').slice(0, 20)
    for (const actor of [...olds, ...news]) await neu.ask(actor, 'add', { amount: 1 })
    for (const actor of olds) t.strictSame(await writers(old, actor), ['old'])
    for (const actor of news) t.strictSame(await writers(old, actor), ['new'])
    // The newer nodes share what needs them; what does not stays where it is.
    const more = await at.start('newer', second)
    for (const actor of news) {
      await old.ask(actor, 'add', { amount: 1 })
      const sharing = old.members().filter(({ id }) => id !== 'old')
      const owner = ownerOf(actor, sharing)!.id
      t.strictSame(await writers(old, actor), ['new', owner])
    }
    t.ok(more.stats().actors.residents > 0)
    t.ok(ownedBy(old, 'old').length > 30, 'a third')
  },
)

await t.test('a tell is carried out, though nobody waits for it', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  const neu = await at.start('new', second)
  const [one, two] = ownedBy(old, 'old')
  for (const [actor, sender] of [[one!, old] as const, [two!, neu] as const]) {
    await sender.ask(actor, 'add', { amount: 4 })
    await tellDouble(sender, actor.id, `tell-${sender.id}`)
    await until(async () => (await neu.state(actor)).version === 2)
    t.match(
      await old.ask(actor, 'double', {}, { commandId: `tell-${sender.id}` }),
      { duplicate: true },
      'under its id',
    )
    t.match(await neu.state(actor), { state: { total: 8 } })
  }
  t.equal(old.stats().actors.deadCommands, 0)
})

await t.test('stored commands, timers and reactors reach the newer version', async t => {
  await using at = cluster()
  const reactor = defineReactor({
    name: 'doubler',
    on: doubling,
    handle: async ({ data }, { spawn }) => {
      await spawn(second, (data as { id: string }).id).ask('double')
    },
  })
  const old = await at.start('old', first, { reactors: [reactor] })
  const [stored, timed, sent, reacted] = ownedBy(old, 'old')
  const neu = await at.start('new', second, { timers: 'passive' })
  for (const actor of [stored!, timed!, sent!, reacted!])
    await old.ask(actor, 'add', { amount: 3 })
  await old.send(stored!, 'double', {})
  await neu.ask(timed!, 'ring', { at: Date.now() })
  const [sender] = ownedBy(old, 'new')
  await neu.ask(sender!, 'order', { id: sent!.id })
  await old.publish(doubling, { id: reacted!.id })
  for (const actor of [stored!, timed!, sent!, reacted!])
    await until(async () => ((await neu.state(actor)).state as Till).total === 6, {
      describe: `${actor.id} is doubled`,
    })
  for await (const letter of old.deadLetters.list()) t.fail(`dead: ${letter.message.id}`)
  t.equal(neu.stats().timers.partitions, 0, 'the old node fires the timers')
})

await t.test('a transaction on an old node is told where to go', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  const neu = await at.start('new', second)
  const [actor] = ownedBy(old, 'old')
  await neu.transact(async tx => {
    await tx.ask(second, actor!.id, 'double')
  })
  const deposit = old.transact(async tx => {
    await tx.ask(first, actor!.id, 'add', { amount: 1 })
  })
  await t.rejects(deposit, {
    code: 'version-behind',
    retryable: true,
    message: /belongs to node new.*version 2/,
    details: { owner: 'new', needs: 2 },
  })
})

await t.test('a roll back, and forward again', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  let neu = await at.start('new', second)
  const [known, unknown] = ownedBy(old, 'new')
  await neu.ask(known!, 'add', { amount: 1 })
  await neu.ask(unknown!, 'double', {}, { commandId: 'twice' })
  await neu.close()

  t.match(await old.ask(known!, 'add', { amount: 1 }), { ok: true, version: 2 })
  const { last } = await old.store.head(known!)
  t.match(last, { nodeId: 'old', behaviorVersion: 2 }, 'what came before is passed on')
  const behind = {
    code: 'version-behind',
    retryable: true,
    message: /behavior version 2 .*runs 1.*No node with version 2/,
    details: { needs: 2, runs: 1 },
  }
  await t.rejects(old.ask(unknown!, 'add', { amount: 1 }, { commandId: 'later' }), behind)
  await t.rejects(old.state(unknown!), behind)
  await t.rejects(old.spawn(first, unknown!.id).state(), behind)
  await t.rejects(
    old.transact(tx => tx.load(first, unknown!.id)),
    behind,
  )
  await t.rejects(old.ask(known!, 'double', {}, { commandId: 'known' }), {
    code: 'version-behind',
    details: { command: 'double', needs: 2 },
  })
  t.equal(old.stats().actors.parked, 0)

  neu = await at.start('new-2', second)
  t.match(await old.ask(unknown!, 'add', { amount: 1 }, { commandId: 'later' }), {
    version: 2,
    duplicate: false,
  })
  t.match(await old.ask(unknown!, 'double', {}, { commandId: 'twice' }), {
    version: 1,
    duplicate: true,
  })
  t.match(await old.ask(known!, 'double', {}, { commandId: 'known' }), { version: 3 })
  t.strictSame(await writers(old, known!), ['new', 'old', 'new-2'])
  t.match(await old.state(unknown!), { state: { total: 1 }, version: 2 })
})

await t.test('an actor that an old node has parked is left to a newer one', async t => {
  await using at = cluster()
  const old = await at.start('old', first)
  const actor = { type: 'till', id: 'imported' }
  await old.store.append(actor, [{ type: 'doubled', data: {} }])
  await t.rejects(old.ask(actor, 'read'), { code: 'actor-parked' })
  const neu = await at.start('new', second)
  t.match(await old.ask(actor, 'add', { amount: 2 }), { version: 2 })
  t.match(await neu.ask(actor, 'read'), { reply: 2 })
  t.strictSame((await writers(old, actor)).at(-1), 'new')
})

await t.test('a machine whose newer version has more events', async t => {
  await using at = cluster()
  const door = (version: number) => {
    const on = { open: 'opened', ...(version > 1 && { lock: 'locked' }) }
    const machine = setup({
      types: { events: {} as { type: 'open' } | { type: 'lock' } },
    }).createMachine({
      id: 'door',
      initial: 'closed',
      states: { closed: { on }, opened: {}, locked: {} },
    })
    return fromMachine(machine, { type: 'door', version })
  }
  const old = await at.start('old', door(1))
  const neu = await at.start('new', door(2))
  const [locked, opened] = ownedBy(old, 'old', 'door')
  t.match(await old.ask(locked!, 'lock'), { ok: true, reply: { value: 'locked' } })
  t.match(await old.ask(opened!, 'open'), { ok: true, reply: { value: 'opened' } })
  t.strictSame(await writers(old, opened!), ['old'])
  await neu.close()
  await t.rejects(old.ask(locked!, 'open'), { code: 'version-behind', retryable: true })
  await at.start('again', door(2))
  t.match(await old.ask(locked!, 'open'), { ok: false, rejection: { code: 'rejected' } })
})

await t.test('children run where their actor is, and nowhere else', async t => {
  await using at = cluster()
  const running = new Map<string, Set<string>>()
  const worker = (version: number, node: string) => {
    const work = fromCallback<{ type: 'none' }, { of: string }>(({ input }) => {
      const runs = running.get(input.of) ?? new Set()
      running.set(input.of, runs.add(node))
      return () => void runs.delete(node)
    })
    const machine = setup({
      types: {
        context: {} as { of: string },
        input: {} as { of: string },
        events: {} as { type: 'begin' } | { type: 'rename' },
      },
      actors: { work },
    }).createMachine({
      id: 'worker',
      context: ({ input }) => ({ of: input.of }),
      initial: 'idle',
      on: version > 1 ? { rename: { actions: assign(({ context }) => context) } } : {},
      states: {
        idle: { on: { begin: 'working' } },
        working: {
          invoke: {
            id: 'work',
            src: 'work',
            input: ({ context }) => ({ of: context.of }),
          },
        },
      },
    })
    const input = (id: string) => ({ of: id })
    return fromMachine(machine, { type: 'worker', version, input })
  }
  const old = await at.start('old', worker(1, 'old'))
  const neu = await at.start('new', worker(2, 'new'))
  // Placement alone never gives it to another node.
  const [self] = old.members().filter(({ id }) => id === 'old')
  const candidates = ['old', 'new', 'next'].map(id => ({ ...self!, id }))
  const actor = ownedBy(old, 'old', 'worker').find(
    one => ownerOf(one, candidates)?.id === 'old',
  )
  const runsOn = (...nodes: string[]) =>
    until(() => [...(running.get(actor!.id) ?? [])].toSorted().join() === nodes.join(), {
      describe: `it runs on ${nodes.join()}`,
    })
  await old.ask(actor!, 'begin')
  await runsOn('old')
  t.match(await old.ask(actor!, 'rename'), { ok: true })
  await runsOn('new')
  await neu.close()
  await runsOn()
  // Nobody asks: the next capable node finds it.
  await at.start('next', worker(2, 'next'))
  await runsOn('next')
  t.match(await old.ask(actor!, 'rename'), { ok: true })
  t.strictSame(await writers(old, actor!), ['old', 'new', 'next'])
})

await t.test('nothing is logged of commands that are redirected', async t => {
  await using at = cluster()
  const said: string[] = []
  const log = takingLog({
    warn: (_details, message) => said.push(message),
    error: (_details, message) => said.push(message),
  })
  const old = await at.start('old', first, { log })
  await at.start('new', second, { log })
  const [actor] = ownedBy(old, 'old')
  await old.ask(actor!, 'double', {})
  await tellDouble(old, actor!.id, 'told')
  await until(async () => (await old.state(actor!)).version === 2)
  t.strictSame(said, [])
})

const member = (id: string, behaviors?: Record<string, number>): Member => ({
  id,
  types: ['till'],
  weight: 1,
  version: '1.0.0',
  ...(behaviors && { behaviors }),
  incarnation: 1,
  metadata: {},
})

/** A membership whose members the test sets. */
function membershipOf(members: readonly Member[]) {
  const listeners = new Set<(change: MembershipChange) => void>()
  return {
    members: () => members,
    onChange(listener: (change: MembershipChange) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set(next: readonly Member[]) {
      const change = { joined: next, left: members, dead: [] }
      members = next
      for (const listener of listeners) listener(change)
    },
  }
}

await t.test('what a node knows of needs is bounded, and forgotten once met', async t => {
  const membership = membershipOf([member('old'), member('new', { till: 2 })])
  const versions = new BehaviorVersions('old', membership, 2)
  const actor = (id: string) => ({ type: 'till', id })
  for (const id of ['a', 'b', 'c']) versions.learn(actor(id), 2)
  t.strictSame(
    ['a', 'b', 'c'].map(id => versions.neededBy(actor(id))),
    [1, 2, 2],
  )
  for (const wrong of [undefined, 'two', 1.5, -1, 1]) versions.learn(actor('d'), wrong)
  t.equal(versions.neededBy(actor('d')), 1)
  t.equal(versions.ownerOf(actor('b'))?.id, 'new')
  t.equal(versions.nextVersion('till', 1), 2)
  t.equal(versions.nextVersion('till', 2), undefined)
  membership.set([member('old')])
  t.equal(versions.ownerOf(actor('b'))?.id, 'old', 'without another, it does what it can')
  t.equal(versions.capableOwner(actor('b'), 2), undefined)
  t.equal(versions.latestSeen('till'), 2)
  membership.set([member('new', { till: 2 })])
  t.equal(versions.neededBy(actor('b')), 1, 'all have it')
  versions.learn(actor('b'), 2)
  t.equal(versions.neededBy(actor('b')), 1)
})

await t.test(
  'a member that announces no or odd versions counts as version 1',
  async t => {
    const announced = {
      ...member('m'),
      behaviors: { till: 2, 'a b': 3, odd: 'x', low: 0 },
    }
    t.strictSame(readMember(announced)?.behaviors, { till: 2 })
    t.strictSame(readMember({ ...announced, behaviors: 'many' })?.behaviors, undefined)
    const versions = new BehaviorVersions('me', membershipOf([member('older')]))
    t.equal(versions.nextVersion('till', 0), 1)
  },
)
