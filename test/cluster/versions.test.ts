// Nodes of two versions in one cluster. A plain client plays the other version: its members, requests, answers and
// commits have properties that this version does not know.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { connect, headers as newHeaders } from 'nats'
import t from 'tap'

import { FileMembership } from '../../src/cluster/file-membership.js'
import type { Member } from '../../src/cluster/membership.js'
import { ownerOf } from '../../src/cluster/placement.js'
import { decode, encode } from '../../src/codec/msgpack.js'
import { type EventStored, jetstream, type Node, startNode } from '../../src/index.js'
import { logSubject } from '../../src/nats/subjects.js'
import { packageVersion } from '../../src/runtime/package-version.js'
import { account } from '../actor/support.js'
import { freshNamespace } from '../jetstream/nodes.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

await using server = await startNats()

/** What a later version might say of itself. */
const said = (id: string, more: object = {}) => ({
  id,
  types: ['account', 'another'],
  groups: ['reports', 7],
  weight: 1,
  version: '9.8.7',
  incarnation: Date.now(),
  metadata: { zone: 'eu-1', shards: 12 },
  capabilities: ['teleport'],
  load: { now: 0.5 },
  ...more,
})

const known = ({ id, incarnation }: { id: string; incarnation: number }): Member => ({
  id,
  types: ['account', 'another'],
  groups: ['reports'],
  weight: 1,
  version: '9.8.7',
  incarnation,
  metadata: { zone: 'eu-1' },
})

type Request = { request: Record<string, unknown>; timeout: number }

async function open() {
  const namespace = freshNamespace()
  const store = jetstream({ servers: server.url })
  const node = await startNode({ namespace, store, id: 'this', actors: [account] })
  const nc = await connect({ servers: server.url })
  const say = (kind: string, member: unknown, more: object = {}) =>
    nc.publish(`cairn.${namespace}.members`, encode({ kind, member, ...more }))
  return {
    namespace,
    node,
    nc,
    say,
    /** The other node takes part, and answers requests as `handle` says. */
    async join(id: string, handle: (request: Request) => unknown, more: object = {}) {
      const member = said(id, more)
      nc.subscribe(`cairn.${namespace}.node.${id}`, {
        callback: (_error, message) =>
          message.respond(encode(handle(decode(message.data) as Request))),
      })
      nc.subscribe(`cairn.${namespace}.alive.${id}`, {
        callback: (_error, message) => message.respond(),
      })
      await nc.flush()
      say('here', member, { protocol: 7 })
      await sees(node, id)
      return member
    },
    /** A request as the other node sends it. */
    async ask(request: object, more: object = {}) {
      const subject = `cairn.${namespace}.node.this`
      const body = encode({ request, timeout: 5_000, ...more })
      const reply = await nc.request(subject, body, { timeout: 10_000 })
      return decode(reply.data) as {
        ok: boolean
        value?: Record<string, unknown>
        error?: { code: string; message: string; details?: Record<string, unknown> }
      }
    },
    async [Symbol.asyncDispose]() {
      await nc.close()
      await node.close()
    },
  }
}

const sees = (node: Node, id: string) =>
  until(() => node.members().some(member => member.id === id), {
    describe: `${id} is a member`,
  })

/** The first of a0, a1, … that the member of that id owns. */
function ownedBy(node: Node, id: string) {
  for (let n = 0; ; n++) {
    const actor = { type: 'account', id: `a${n}` }
    if (ownerOf(actor, node.members())?.id === id) return actor
  }
}

await t.test('a node of another version is listed with its version', async t => {
  await using at = await open()
  at.say('teleporting', said('unheard'))
  const other = await at.join('newer', () => ({ ok: true }))
  t.strictSame(at.node.members(), [known(other), at.node.members()[1]])
  t.match(at.node.members()[1], { id: 'this', version: packageVersion })
  const { version: _version, metadata: _metadata, ...older } = said('older')
  at.say('here', older)
  await sees(at.node, 'older')
  t.match(
    at.node.members().find(({ id }) => id === 'older'),
    {
      version: 'unknown',
      metadata: {},
    },
  )
  at.say('bye', { ...other, reason: 'because' }, { until: 'tomorrow' })
  await until(() => !at.node.members().some(({ id }) => id === 'newer'))
  t.notOk(at.node.members().some(({ id }) => id === 'unheard'))
})

await t.test('an invalid member is ignored, and its hello is answered', async t => {
  await using at = await open()
  const wrong: unknown[] = [
    null,
    'newer',
    [],
    said(''),
    said('a b'),
    said('../card'),
    said('w', { weight: 0 }),
    said('w', { weight: NaN }),
    said('w', { weight: '1' }),
    said('i', { incarnation: 1e20 }),
    said('i', { incarnation: -1 }),
    said('i', { incarnation: 'now' }),
    said('t', { types: 'account' }),
  ]
  for (const member of wrong) for (const kind of ['here', 'bye']) at.say(kind, member)
  const types = ['account', 7, 'a b', '']
  at.say('here', said('odd', { types, version: '\u001b[31m', metadata: 'red' }))
  await sees(at.node, 'odd')
  t.strictSame(
    at.node
      .members()
      .map(({ id, types, version, metadata }) => [id, types, version, metadata]),
    [
      ['odd', ['account'], 'unknown', {}],
      ['this', ['account'], packageVersion, {}],
    ],
  )
  let answered = 0
  const subscription = at.nc.subscribe(`cairn.${at.namespace}.members`, {
    callback: (_error, { data }) => {
      if ((decode(data) as { kind: string }).kind === 'here') answered++
    },
  })
  await at.nc.flush()
  at.say('hello', { lurker: true })
  await until(() => answered > 0, { describe: 'an observer of any version is answered' })
  subscription.unsubscribe()
})

await t.test('commands are sent to a node of another version', async t => {
  await using at = await open()
  const heard: Request[] = []
  const outcome = {
    ok: true,
    version: 4,
    position: 9,
    reply: 40,
    duplicate: false,
    shard: 3,
  }
  await at.join('newer', request => {
    heard.push(request)
    return { ok: true, value: outcome, served: 'fast' }
  })
  const actor = ownedBy(at.node, 'newer')
  const asked = await at.node.ask(actor, 'deposit', { amount: 1 }, { commandId: 'c1' })
  t.match(asked, { ok: true, version: 4, position: 9, reply: 40, duplicate: false })
  t.match(heard, [{ request: { kind: 'ask', actor, commandId: 'c1', hops: 0 } }])
  t.match(at.node.stats(), { router: { remote: 1 }, actors: { asks: 0 } })
})

await t.test('errors of another version keep their code and message', async t => {
  await using at = await open()
  const error = { code: 'time-paradox', message: 'It was later.', details: { by: 3 } }
  let answer: object = { ok: false, error: { ...error, advice: 'wait' } }
  await at.join('newer', () => answer)
  const actor = ownedBy(at.node, 'newer')
  const ask = () => at.node.ask(actor, 'deposit', { amount: 1 })
  await t.rejects(ask(), {
    code: 'remote-failure',
    message: 'It was later.',
    details: { code: 'time-paradox', by: 3 },
  })
  const redirect = {
    code: 'not-owner',
    message: 'There.',
    details: { owner: 'this', at: 1 },
  }
  answer = { ok: false, error: redirect }
  t.match(await ask(), { ok: true, version: 1, reply: 1 }, 'a redirect is followed')
})

await t.test(
  'ROUTER-10 an owner that has not seen the node with the later version is passed over',
  async t => {
    await using at = await open()
    const unknown = {
      code: 'unknown-command',
      message: 'It knows no such command.',
      details: { type: 'account', command: 'freeze' },
    }
    const heard: string[] = []
    await at.join('older', () => {
      heard.push('older')
      return { ok: false, error: unknown }
    })
    const actor = ownedBy(at.node, 'older')
    const ask = () => at.node.ask(actor, 'freeze', undefined, { commandId: 'c1' })
    await t.rejects(ask(), { code: 'unknown-command' }, 'nobody has a later version')
    const outcome = { ok: true, version: 1, position: 1, duplicate: false }
    await at.join(
      'newer',
      ({ request }) => {
        heard.push(`newer, for version ${String(request.behaviorVersion)}`)
        return { ok: true, value: outcome }
      },
      { behaviors: { account: 2 } },
    )
    t.match(await ask(), { ok: true, version: 1 })
    t.strictSame(heard.slice(-1), ['newer, for version 2'])
    t.ok(heard.length <= 3, 'each is asked once')
    t.match(await ask(), { ok: true }, 'the actor is known to need it')
    t.equal(heard.at(-1), 'newer, for version 2')
    t.notOk(heard.slice(3).includes('older'))
  },
)

await t.test('commands are received from a node of another version', async t => {
  await using at = await open()
  await at.join('newer', () => ({ ok: true }))
  const actor = { ...ownedBy(at.node, 'this'), shard: 3 }
  const data = { amount: 5 }
  const command = { kind: 'ask', actor, command: 'deposit', data, commandId: 'c1' }
  const sent = () => at.ask({ ...command, hops: 0, priority: 9 }, { route: ['newer'] })
  t.match(await sent(), { ok: true, value: { version: 1, reply: 5, duplicate: false } })
  t.match(await sent(), { ok: true, value: { version: 1, reply: 5, duplicate: true } })
  const state = {
    kind: 'state',
    actor,
    freshness: { after: 1, within: 5 },
    shape: 'flat',
  }
  t.match(await at.ask(state), { value: { version: 1, state: { balance: 5 } } })
  const theirs = { ...command, actor: ownedBy(at.node, 'newer'), hops: 0 }
  t.match(await at.ask(theirs), {
    ok: false,
    error: { code: 'not-owner', details: { owner: 'newer' } },
  })
})

await t.test('a request of an unknown kind is refused with a reason', async t => {
  await using at = await open()
  const actor = { type: 'account', id: 'a' }
  const refused = await at.ask({ kind: 'teleport', actor, to: 'mars' })
  t.match(refused, {
    ok: false,
    error: {
      code: 'invalid-command',
      message: /"teleport".*newer version.*upgrade this node/,
      details: { kind: 'teleport' },
    },
  })
  const freshness = await at.ask({ kind: 'state', actor, freshness: 'yesterday' })
  t.match(freshness.error, { code: 'invalid-command', message: /newer version/ })
  t.equal(await at.node.store.lastPosition(), 0, 'nothing was done')
})

await t.test('commits of another version are read like any other', async t => {
  await using at = await open()
  const actor = { type: 'account', id: 'a' }
  const heard: EventStored[] = []
  await at.node.subscribeToEventStored(notice => heard.push(notice))
  await at.node.ask(actor, 'deposit', { amount: 1 })
  const lines = newHeaders()
  const written = {
    'Cairn-Wire': '1',
    'Cairn-Commit': 'theirs',
    'Cairn-Versions': '2-3',
    'Cairn-Events': 'deposited*2',
    'Cairn-Node': 'newer',
    'Cairn-At': `${Date.now()}`,
    'Cairn-Command': 'c2',
    'Cairn-Mood': 'fine',
    'Nats-Expected-Last-Subject-Sequence': '1',
  }
  for (const [name, value] of Object.entries(written)) lines.append(name, value)
  const events = [10, 100].map(amount => ({
    type: 'deposited',
    data: { amount },
    colour: 'red',
  }))
  const body = encode({ events, reply: 111, mood: 'fine', audit: { by: 'them' } })
  const subject = logSubject(at.namespace, actor, 16)
  await at.nc.jetstream().publish(subject, body, { headers: lines })
  await until(() => heard.length === 3, { describe: 'all three are noticed' })
  t.strictSame(
    heard.map(({ version, nodeId }) => [version, nodeId]),
    [
      [1, 'this'],
      [2, 'newer'],
      [3, 'newer'],
    ],
  )
  const again = await at.node.ask(actor, 'deposit', { amount: 1 }, { commandId: 'c2' })
  t.match(again, { version: 3, position: 2, reply: 111, duplicate: true })
  t.match(await at.node.ask(actor, 'deposit', { amount: 1 }), { version: 4, reply: 112 })
  const kinds: string[] = []
  for await (const record of at.node.store.readAll()) kinds.push(record.kind)
  t.strictSame(kinds, ['commit', 'commit', 'commit'])
})

await t.test(
  'member files of another version in a shared directory are read',
  async t => {
    const dir = await mkdtemp(join(tmpdir(), 'cairn-members-'))
    t.teardown(() => rm(dir, { recursive: true, force: true }))
    const self = known({ id: 'this', incarnation: Date.now() })
    const membership = await FileMembership.join(dir, 'ns', self)
    const folder = join(dir, 'ns.members')
    const announce = (name: string, content: object) =>
      writeFile(join(folder, `${name}.json`), JSON.stringify(content))
    const other = said('newer')
    await announce('odd', { pid: process.pid, member: { id: 'odd' } })
    await announce('newer', { pid: process.pid, member: other, sockets: 2 })
    await until(() => membership.members().length === 2, { describe: 'it is a member' })
    t.strictSame(membership.members(), [known(other), self])
    await membership.close()
  },
)
