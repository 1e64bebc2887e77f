// Several nodes of one namespace in one process: a command reaches its owner.

import t from 'tap'

import {
  defineActor,
  event,
  memory,
  type Node,
  reject,
  startNode,
} from '../../src/index.js'
import type { Member } from '../../src/cluster/membership.js'
import { MemoryMembers, MemoryMembership } from '../../src/cluster/memory-membership.js'
import { Router } from '../../src/cluster/router.js'
import type { AskRequest, Transport } from '../../src/cluster/transport.js'
import { CairnError } from '../../src/model/errors.js'
import { abortedError } from '../../src/model/wait.js'
import { until } from '../support/wait.js'

const member: Member = {
  id: 'n',
  types: ['counter'],
  weight: 1,
  version: '0.0.0',
  incarnation: 1,
  metadata: {},
}

const counter = defineActor({
  type: 'counter',
  initialState: 0,
  decide: {
    add: (_state, by: number) => ({ events: event('added', by), reply: after => after }),
    refuse: () => reject('no', 'Never.'),
  },
  evolve: { added: (state, by: number) => state + by },
})

async function start(count: number, store = memory()) {
  const nodes: Node[] = []
  for (let i = 0; i < count; i++)
    nodes.push(
      await startNode({ namespace: 'ns', id: `n${i}`, store, actors: [counter] }),
    )
  return {
    nodes,
    store,
    async [Symbol.asyncDispose]() {
      for (const node of nodes) await node.close()
    },
  }
}

await t.test(
  'whichever node a command is sent from, the actor is in memory on one node',
  async t => {
    await using cluster = await start(3)
    const { nodes } = cluster
    for (let i = 0; i < 60; i++)
      for (const node of nodes) await node.spawn(counter, `c${i}`).ask('add', 1)
    const residents = nodes.map(node => node.stats().actors.residents)
    t.equal(
      residents.reduce((sum, n) => sum + n),
      60,
      `each actor is resident once: ${residents.join(', ')}`,
    )
    t.ok(
      residents.every(n => n > 5),
      'each node has a share of the actors',
    )
    t.equal(
      nodes.map(node => node.stats().actors.conflicts).reduce((sum, n) => sum + n),
      0,
      'no two nodes conflicted',
    )
    const { state } = await nodes[0]!.spawn(counter, 'c7').state()
    t.equal(state, 3)
  },
)

await t.test('a rejection and a reply reach the caller unchanged', async t => {
  await using cluster = await start(3)
  for (const node of cluster.nodes) {
    const ids = { commandId: 'c1', correlationId: 'corr' }
    const refused = await node.spawn(counter, 'x').ask('refuse', undefined, ids)
    t.strictSame(refused, {
      ok: false,
      version: 0,
      rejection: { code: 'no', message: 'Never.', details: undefined },
      ...ids,
    })
  }
  const answered = await cluster.nodes[1]!.spawn(counter, 'x').ask('add', 5)
  t.match(answered, { ok: true, version: 1, position: 1, reply: 5 })
})

await t.test('a node that hosts no types sends all commands to others', async t => {
  await using cluster = await start(2)
  await using client = await startNode({ namespace: 'ns', store: cluster.store })
  const outcome = await client.spawn(counter, 'far').ask('add', 2)
  t.match(outcome, { ok: true, reply: 2 })
  t.equal(client.stats().router.remote, 1)
  t.equal(client.stats().actors.residents, 0)
  await t.rejects(client.ask({ type: 'trip', id: 't' }, 'start'), { code: 'no-node' })
})

await t.test('when nodes join and leave, actors move and continue', async t => {
  await using cluster = await start(1)
  const { nodes, store } = cluster
  const ask = async (node: Node) => {
    for (let i = 0; i < 30; i++) await node.spawn(counter, `c${i}`).ask('add', 1)
  }
  await ask(nodes[0]!)
  const joined = await startNode({
    namespace: 'ns',
    id: 'late',
    store,
    actors: [counter],
  })
  await ask(nodes[0]!)
  t.ok(joined.stats().actors.residents > 5, 'the newcomer has its share')
  await ask(joined)
  await joined.close()
  t.strictSame(
    nodes[0]!.members().map(({ id }) => id),
    ['n0'],
  )
  await ask(nodes[0]!)
  for (let i = 0; i < 30; i++)
    t.equal((await nodes[0]!.spawn(counter, `c${i}`).state()).state, 4)
})

await t.test('a told command is routed, too', async t => {
  await using cluster = await start(3)
  for (const node of cluster.nodes) await node.spawn(counter, 'told').tell('add', 1)
  const ref = cluster.nodes[0]!.spawn(counter, 'told')
  await until(async () => (await ref.state()).state === 3, {
    describe: 'all three are added',
  })
  t.equal(
    cluster.nodes.map(node => node.stats().actors.residents).reduce((sum, n) => sum + n),
    1,
  )
})

await t.test('actors of a new node leave the memory of the other nodes', async t => {
  await using cluster = await start(1)
  const [first] = cluster.nodes
  for (let i = 0; i < 50; i++) await first!.spawn(counter, `c${i}`).ask('add', 1)
  t.equal(first!.stats().actors.residents, 50)
  await using newcomer = await startNode({
    namespace: 'ns',
    id: 'newcomer',
    store: cluster.store,
    actors: [counter],
  })
  const { residents, dismissals } = first!.stats().actors
  t.equal(residents + dismissals, 50)
  t.ok(dismissals > 10, `${dismissals} of 50 were let go`)
  for (let i = 0; i < 50; i++) await first!.spawn(counter, `c${i}`).ask('add', 1)
  t.equal(first!.stats().actors.residents, residents, 'and do not come back')
  t.equal(newcomer.stats().actors.residents, dismissals)
})

await t.test(
  'a node that closes ends unanswered commands with an error that names their id',
  async t => {
    // A transport whose other side never answers.
    const unanswered: Transport = {
      serve: async () => ({ stop: async () => {} }),
      request: (_request, { signal } = {}) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(abortedError(signal, 'asking')))
        }),
      close: async () => {},
    }
    const shared = new MemoryMembers()
    const other = { ...member, id: 'other' }
    const router = new Router({
      nodeId: 'here',
      membership: new MemoryMembership(shared, other),
      transport: unanswered,
      local: { ask: () => t.fail('not here'), tell: () => t.fail('not here') } as never,
      hosts: () => false,
    })
    const actor = { type: 'counter', id: 'x' }
    const asked = router.ask(actor, 'add', 1, { commandId: 'mine' })
    const told = router.tell(actor, 'add', 1, { commandId: 'too' })
    const ended = Promise.all([
      t.rejects(asked, { code: 'answer-lost', details: { commandId: 'mine' } }),
      t.rejects(told, { code: 'answer-lost', details: { commandId: 'too' } }),
    ])
    await router.close(1)
    await ended
  },
)

await t.test('ROUTER-8: a node sends a command on, and believes nobody', async t => {
  class View extends MemoryMembership {
    readonly #members: MemoryMembers

    constructor(members: MemoryMembers) {
      super(members, undefined)
      this.#members = members
      for (const id of ['owner', 'other']) members.roster.alive({ ...member, id }, 0)
    }

    override suspect(id: string = 'nobody'): void {
      this.#members.roster.dead(id)
    }
  }
  const outcome = { ok: true, version: 1, position: 1, reply: 1, duplicate: false }
  /** The owner cannot be reached by the sender; `isDead`: by nobody. */
  const start = (isDead: boolean) => {
    const asked: string[] = []
    const none = { ask: () => t.fail('not here'), tell: () => t.fail('not here') }
    const transportOf = (from: string): Transport => ({
      serve: async () => ({ stop: async () => {} }),
      async request(request, { to } = {}) {
        const { actor, command, data, hops = 0, gone } = request as AskRequest
        asked.push(`${from} ${to}`)
        if (to === 'owner') {
          if (from === 'other' && !isDead) return outcome
          throw new CairnError('no-node', 'Nobody is there.')
        }
        if (!other.checkOwner(actor, hops, gone)) return outcome
        return other.relay(hops).ask(actor, command, data)
      },
      close: async () => {},
    })
    const local = { ...none, ask: async () => outcome } as never
    const parts = { hosts: () => false }
    const sender = new Router({
      ...parts,
      nodeId: 'here',
      membership: new View(new MemoryMembers()),
      transport: transportOf('here'),
      local: none as never,
    })
    const other = new Router({
      ...parts,
      nodeId: 'other',
      membership: new View(new MemoryMembers()),
      transport: transportOf('other'),
      local,
    })
    const ids = Array.from({ length: 50 }, (_, i) => `c${i}`)
    const id = ids.find(
      one => sender.ownerOf({ type: 'counter', id: one })?.id === 'owner',
    )
    return { asked, sender, other, actor: { type: 'counter', id: id! } }
  }
  const cut = start(false)
  t.strictSame(await cut.sender.ask(cut.actor, 'add', 1), outcome)
  t.strictSame(cut.asked, ['here owner', 'here other', 'other owner'])
  t.equal(cut.other.ownerOf(cut.actor)?.id, 'owner', 'the other one still reaches it')
  t.strictSame(cut.sender.stats(), {
    local: 0,
    remote: 1,
    redirects: 0,
    resent: 1,
    refused: 0,
  })
  const dead = start(true)
  t.strictSame(await dead.sender.ask(dead.actor, 'add', 1), outcome)
  t.strictSame(dead.asked, cut.asked, 'it has tried by itself')
  t.equal(dead.other.ownerOf(dead.actor)?.id, 'other')
})

/** What a request to another node ends with: an answer, or an error that is thrown. */
type Step = CairnError | { readonly ok: boolean } | 'no end'

const lost = new CairnError('answer-lost', 'It is lost.')
const accepted = { ok: true, version: 1, position: 1, reply: 1, duplicate: false }
const rejection = { code: 'no', message: 'Never.', details: undefined }
const rejected = { ok: false, version: 0, rejection }

/** A router whose requests end as scripted, the last step again and again. Another node owns every actor. */
function routerWith(steps: readonly Step[]) {
  let sent = 0
  const requests: AskRequest[] = []
  const transport: Transport = {
    serve: async () => ({ stop: async () => {} }),
    request(request, { signal } = {}) {
      requests.push(request as AskRequest)
      const step = steps[Math.min(sent++, steps.length - 1)]!
      if (step instanceof CairnError) return Promise.reject(step)
      if (step !== 'no end') return Promise.resolve(step)
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(abortedError(signal, 'asking')))
      })
    },
    close: async () => {},
  }
  const members = new MemoryMembers()
  // A node that announces itself again and again, so that the router finds it whatever it suspects.
  class Steady extends MemoryMembership {
    override suspect(): void {}
  }
  const other = { ...member, id: 'other' }
  const local = { ask: () => t.fail('not here'), tell: () => t.fail('not here') } as never
  const router = new Router({
    nodeId: 'here',
    membership: new Steady(members, other),
    transport,
    local,
    hosts: () => false,
  })
  return {
    ask: (options: object = {}) =>
      router.ask({ type: 'counter', id: 'x' }, 'add', 1, {
        commandId: 'mine',
        timeout: 300,
        ...options,
      }),
    get sent() {
      return sent
    },
    requests,
    leave: () => members.roster.dead('other'),
  }
}

const unknown = { code: 'outcome-unknown', details: { commandId: 'mine' } }

await t.test(
  'ROUTER-4 after a lost answer, only that it took effect is told',
  async t => {
    t.strictSame(await routerWith([lost, accepted]).ask(), accepted)
    await t.rejects(routerWith([lost, rejected]).ask(), unknown, 'a rejection')
    for (const code of [
      'mailbox-full',
      'unknown-command',
      'deadline-exceeded',
      'queue-full',
    ] as const) {
      const error = new CairnError(code, 'Nothing was stored.')
      await t.rejects(
        routerWith([lost, error]).ask(),
        { ...unknown, cause: { code } },
        code,
      )
    }
    await t.rejects(routerWith([lost]).ask(), unknown, 'the deadline passes')
    const named = new CairnError('outcome-unknown', 'By the store.', unknown)
    await t.rejects(routerWith([lost, named]).ask(), {
      message: 'By the store.',
      ...unknown,
    })
  },
)

await t.test(
  'ROUTER-4 a lost answer and no node left: the command waits for a new owner',
  async t => {
    const scene = routerWith([lost])
    const asked = scene.ask()
    await until(() => scene.sent > 0, { describe: 'it was sent' })
    scene.leave()
    await t.rejects(asked, unknown, 'not no-node: the dead node may have stored it')
  },
)

await t.test(
  'ROUTER-4 a signal that fires before the answer leaves the outcome open',
  async t => {
    const scene = routerWith(['no end'])
    const stop = new AbortController()
    const asked = scene.ask({ signal: stop.signal })
    await until(() => scene.sent > 0, { describe: 'it was sent' })
    stop.abort()
    await t.rejects(asked, { ...unknown, cause: { code: 'aborted' } })
    await t.rejects(scene.ask({ signal: stop.signal }), { code: 'aborted' }, 'not sent')
    t.equal(scene.sent, 1)
  },
)

await t.test(
  'a request that expired in its node is sent again while there is time',
  async t => {
    const expired = new CairnError('deadline-exceeded', 'It had expired.', {
      details: { waited: 400 },
    })
    t.strictSame(await routerWith([expired, accepted]).ask(), accepted)
    t.strictSame(
      await routerWith([expired, rejected]).ask(),
      rejected,
      'it was not begun',
    )
    await t.rejects(
      routerWith([expired]).ask(),
      { code: 'deadline-exceeded', message: /Nothing was stored/ },
      'nor was any of the others',
    )
    const late = new CairnError('deadline-exceeded', 'It was not finished in time.')
    await t.rejects(routerWith([late, accepted]).ask(), late, 'it was begun')
  },
)

await t.test(
  'ROUTER-2 a node that left before it answered is named to the next one',
  async t => {
    const left = new CairnError('answer-lost', 'It left.', { details: { left: 'other' } })
    const scene = routerWith([left, accepted])
    await scene.ask()
    t.strictSame(
      scene.requests.map(({ gone }) => gone),
      [undefined, ['other']],
    )
  },
)

await t.test(
  'without a lost answer, what the node answers is told unchanged',
  async t => {
    t.strictSame(await routerWith([rejected]).ask(), rejected)
    const full = new CairnError('mailbox-full', 'It is full.')
    await t.rejects(routerWith([full]).ask(), full)
    const unreachable = new CairnError('no-node', 'Nobody is there.')
    await t.rejects(
      routerWith([unreachable]).ask(),
      {
        code: 'deadline-exceeded',
        message: /Nothing was stored/,
        details: { commandId: 'mine' },
      },
      'no node could be reached in time',
    )
    t.strictSame(await routerWith([unreachable, accepted]).ask(), accepted)
  },
)
