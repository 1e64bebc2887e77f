// The promises of the systems that messages are modelled on, tested with a real server.
//
// Where a check names mechanisms that Cairn does not have (outbox rows, pollers, leases: the commit is the
// outbox, and the log is read by partitions), the underlying promise is tested.

import { connect } from 'nats'
import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { publish, send } from '../../src/actor/effects.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { StoredCommit } from '../../src/model/commit.js'
import type { RecordedEvent } from '../../src/model/event.js'
import { newId } from '../../src/model/id.js'
import { partitionOf } from '../../src/model/partition.js'
import { defineTopic } from '../../src/model/topic.js'
import { deferred } from '../../src/model/wait.js'
import type { DeadLetter } from '../../src/delivery/dead-letters/dead-letters.js'
import {
  decodePartitionState,
  encodePartitionState,
  type PartitionState,
} from '../../src/delivery/group/partition-state.js'
import {
  defineReactor,
  type ReactorContext,
} from '../../src/delivery/reactor/define-reactor.js'
import type { Message } from '../../src/delivery/messages/message.js'
import { RetryableError, TerminalError } from '../../src/model/retry-policy.js'
import type { Node } from '../../src/runtime/node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { startNode } from '../../src/runtime/start-node.js'
import { type NatsServer, startNats } from '../support/nats.js'
import { takingLog } from '../support/log.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

const patience = { timeout: 60_000 }
const ended = defineTopic('trips.ended')
const mailed = defineTopic('mails.sent')

const account = defineActor({
  type: 'account',
  initialState: { sum: 0 },
  decide: { charge: (_state, n: number) => event('charged', n) },
  evolve: { charged: (state, n: number) => ({ sum: state.sum + n }) },
})
const trip = defineActor({
  type: 'trip',
  publishes: [ended],
  initialState: { legs: 0 },
  decide: {
    end: (_state, n: number, { actor }) => [
      event('ended', n),
      send(account, `of ${actor.id}`, 'charge', n),
      publish(ended, n),
      publish(ended, -n),
    ],
  },
  evolve: { ended: state => ({ legs: state.legs + 1 }) },
})

function scene(t: Test, servers: string) {
  const namespace = `m-${newId().slice(0, 8)}`
  return async (options: Partial<NodeOptions> = {}) => {
    const node = await startNode({ namespace, store: jetstream({ servers }), ...options })
    t.teardown(() => node.close())
    return node
  }
}

function listener(name: string, topics = [ended]) {
  const heard: Message[] = []
  const handle = (message: Message) => void heard.push(message)
  return { heard, reactor: defineReactor({ name, on: topics, handle }) }
}

async function commitsOf(node: Node, type: string, id: string): Promise<StoredCommit[]> {
  const commits: StoredCommit[] = []
  for await (const record of node.store.commits({ type, id }))
    if (record.kind === 'commit') commits.push(record)
  return commits
}

async function chargesOf(node: Node, id: string): Promise<readonly RecordedEvent[]> {
  const commits = await commitsOf(node, 'account', id)
  return commits.flatMap(({ events }) => events)
}

const honest = ['store-unreachable', 'outcome-unknown', 'deadline-exceeded']

/** Asks while the broker is unreachable; returns the error's code. */
async function askInVain(node: Node, commandId: string): Promise<string> {
  const asking = node.spawn(trip, 'x').ask('end', 7, { commandId, timeout: 1_500 })
  return asking.then(
    () => 'success',
    (error: unknown) => (error as { code: string }).code,
  )
}

async function withServer(
  title: string,
  body: (t: Test, server: NatsServer) => Promise<void>,
): Promise<void> {
  await t.test(title, async t => {
    const server = await startNats()
    t.teardown(() => server[Symbol.asyncDispose]())
    await body(t, server)
  })
}

await withServer(
  'A0.5 A1.3 the broker stops at the commit: no success is reported; after its return there is one commit, delivered',
  async (t, server) => {
    const start = scene(t, server.url)
    const { heard, reactor } = listener('readers')
    const node = await start({ actors: [trip, account], reactors: [reactor] })
    await node.spawn(trip, 'x').ask('end', 1, { commandId: 'first' })
    await until(() => heard.length === 2, patience)
    await server.stop()
    const code = await askInVain(node, 'second')
    t.ok(honest.includes(code), code)
    await server.restart()
    const answer = await until(
      () => node.spawn(trip, 'x').ask('end', 7, { commandId: 'second' }),
      patience,
    )
    t.match(answer, { ok: true, version: 2 })
    // From here on no further command is sent.
    await until(() => heard.length === 4, patience)
    await until(async () => (await chargesOf(node, 'of x')).length === 2, patience)
    t.strictSame(
      (await commitsOf(node, 'trip', 'x')).map(({ command }) => command!.id),
      ['first', 'second'],
    )
    t.strictSame(
      heard.map(({ id }) => id),
      ['trip/x/1#1', 'trip/x/1#2', 'trip/x/2#1', 'trip/x/2#2'],
    )
    t.strictSame(
      (await chargesOf(node, 'of x')).map(({ data, commandId }) => [data, commandId]),
      [
        [1, 'trip/x/1#0'],
        [7, 'trip/x/2#0'],
      ],
    )
  },
)

await withServer(
  'A1.3 the answer to a commit is lost: its outbox is delivered before the command is sent again',
  async (t, server) => {
    await using proxy = await startProxy(server.url)
    const namespace = `m-${newId().slice(0, 8)}`
    const store = jetstream({ servers: proxy.url, ignoreClusterUpdates: true })
    const { heard, reactor } = listener('readers')
    await using cut = await startNode({ namespace, store, actors: [trip] })
    await using well = await startNode({
      namespace,
      store: jetstream({ servers: server.url }),
      actors: [account],
      reactors: [reactor],
    })
    await cut.spawn(trip, 'x').ask('end', 1)
    await until(() => heard.length === 2, patience)
    proxy.dropReplies(true)
    const code = await askInVain(cut, 'lost')
    t.ok(honest.includes(code), code)
    const isStored = code === 'outcome-unknown'
    if (isStored) {
      await until(() => heard.length === 4, patience)
      await until(async () => (await chargesOf(well, 'of x')).length === 2, patience)
    }
    proxy.dropReplies(false)
    const again = await until(
      () => cut.spawn(trip, 'x').ask('end', 7, { commandId: 'lost' }),
      patience,
    )
    t.match(again, { ok: true, version: 2, duplicate: isStored })
    await until(async () => (await chargesOf(well, 'of x')).length === 2, patience)
    await until(() => heard.length === 4, patience)
    t.equal((await commitsOf(well, 'trip', 'x')).length, 2, 'one commit')
  },
)

await withServer(
  'A1.2 the outbox of a commit is delivered at once, in order, under predictable ids',
  async (t, server) => {
    const start = scene(t, server.url)
    const { heard, reactor } = listener('readers')
    const node = await start({ actors: [trip, account], reactors: [reactor] })
    const answer = await node.spawn(trip, 'x').ask('end', 5, { commandId: 'c' })
    const { version } = answer
    const ids = [0, 1, 2].map(i => `trip/x/${version}#${i}`)
    t.strictSame(answer.ok && answer.outboxIds, ids, 'the receipt lists them in order')
    const again = await node.spawn(trip, 'x').ask('end', 5, { commandId: 'c' })
    t.strictSame(again, { ...answer, duplicate: true }, 'also a second time')
    t.notOk('said' in (await node.spawn(account, 'silent').ask('charge', 1)))
    await until(() => heard.length === 2, patience)
    await until(() => node.stats().courier.handled === 1, patience)
    t.strictSame(
      heard.map(({ id }) => id),
      [1, 2].map(i => `trip/x/${version}#${i}`),
    )
    const [charge] = await chargesOf(node, 'of x')
    t.equal(charge!.commandId, `trip/x/${version}#0`)
    await until(() => {
      const { courier, reactors } = node.stats()
      return courier.open + courier.failing + reactors['readers']!.open === 0
    }, patience)
    t.pass('nothing is left pending')
  },
)

await withServer(
  'A1.5 messages and commands without a reader arrive in order when readers start',
  async (t, server) => {
    const start = scene(t, server.url)
    const speaker = await start({ actors: [trip] })
    const ids = ['a', 'b', 'c', 'd', 'e']
    const all = Array.from({ length: 30 }, (_, i) => i + 1)
    await Promise.all(
      ids.map(async id => {
        for (const n of all) await speaker.spawn(trip, id).ask('end', n)
      }),
    )
    await speaker.close()
    const { heard, reactor } = listener('late')
    const late = await start({ actors: [account], reactors: [reactor] })
    await until(() => heard.length === ids.length * all.length * 2, patience)
    for (const id of ids) {
      await until(
        async () => (await chargesOf(late, `of ${id}`)).length === all.length,
        patience,
      )
      t.strictSame(
        heard.filter(({ actor }) => actor?.id === id).map(({ data }) => data),
        all.flatMap(n => [n, -n]),
      )
      t.strictSame(
        (await chargesOf(late, `of ${id}`)).map(({ data }) => data),
        all,
      )
    }
  },
)

await withServer(
  'A1.4 a node that has lost a partition cannot settle its records, and nothing is missed',
  async (t, server) => {
    // Instead of leases: each write of a checkpoint expects the one before it.
    const namespace = `m-${newId().slice(0, 8)}`
    const store = jetstream({ servers: server.url })
    const { heard, reactor } = listener('fenced')
    await using node = await startNode({
      namespace,
      store,
      actors: [trip],
      reactors: [reactor],
    })
    await using other = await store.open({ namespace, nodeId: 'other' })
    const takeAll = async () => {
      for (const key of await other.documents.list(['reactor', 'fenced', 'log'])) {
        const { value, revision } = (await other.documents.get(key))!
        await other.documents.put(key, value, revision)
      }
    }
    await until(
      async () =>
        (await other.documents.list(['reactor', 'fenced', 'log'])).length === 16,
      patience,
    )
    for (let n = 1; n <= 40; n++) {
      await node.spawn(trip, `t${n % 8}`).ask('end', n)
      if (n % 10 === 0) await takeAll()
    }
    await until(() => new Set(heard.map(({ id }) => id)).size === 80, patience)
    for (let i = 0; i < 8; i++) {
      const mine = heard.filter(({ actor }) => actor?.id === `t${i}`)
      const first = [...new Map(mine.map(message => [message.id, message])).values()]
      const positions = first.map(({ position }) => position)
      t.strictSame(
        positions,
        positions.toSorted((a, b) => a - b),
      )
    }
  },
)

await withServer(
  'A1.4 a handler that ends after its partition was taken over settles nothing',
  async (t, server) => {
    const namespace = `m-${newId().slice(0, 8)}`
    const store = jetstream({ servers: server.url })
    const begun = deferred<void>()
    const finish = deferred<void>()
    const calls: { data: unknown; attempt: number; mayBeRepeat: boolean }[] = []
    const told: string[] = []
    const reactor = defineReactor({
      name: 'late',
      on: mailed,
      async handle({ data }, { attempt, mayBeRepeat }) {
        calls.push({ data, attempt, mayBeRepeat })
        begun.resolve()
        if (calls.length === 1) await finish.promise
      },
    })
    await using node = await startNode({
      namespace,
      store,
      reactors: [reactor],
      log: takingLog({ info: (_details, message) => void told.push(message) }),
    })
    // A member, so that the node waits for it to release what it has taken.
    await using successor = await startNode({ namespace, store, actors: [account] })
    await using other = await store.open({ namespace, nodeId: 'other' })
    await node.publish(mailed, 1, { key: 'k' })
    await begun.promise
    const owner = await until(
      () => node.members().find(({ id }) => id === successor.id),
      patience,
    )
    const partition = partitionOf({ type: 'message', id: 'key/k' }, 16)
    const key = ['reactor', 'late', 'topic', String(partition)]
    const change = (to: (state: PartitionState) => PartitionState) =>
      until(async () => {
        const { value, revision } = (await other.documents.get(key))!
        const bytes = encodePartitionState(to(decodePartitionState(value, 'it')))
        return (await other.documents.put(key, bytes, revision)) !== 'conflict'
      }, patience)
    const { id, incarnation } = owner
    await change(state => ({
      ...state,
      owner: { id, incarnation },
      epoch: state.epoch + 1,
    }))
    const taken = await other.documents.get(key)
    finish.resolve()
    await until(() => told.some(text => text.includes('owned by another node')), patience)
    t.strictSame(await other.documents.get(key), taken, 'the settlement changed nothing')
    t.equal(calls.length, 1)
    // The successor ends without having handled it.
    await change(({ owner: _owner, ...state }) => state)
    await until(() => calls.length === 2, patience)
    t.strictSame(
      calls[1],
      { data: 1, attempt: 1, mayBeRepeat: true },
      'so it is handled again',
    )
  },
)

await withServer(
  'A1.7 a command goes to one node, a message to every group, and a duplicate publish counts once',
  async (t, server) => {
    const start = scene(t, server.url)
    const groups = ['pricing', 'audit', 'notify'].map(name =>
      [0, 1].map(() => listener(name, [ended, mailed])),
    )
    const nodes = await Promise.all(
      [0, 1].map(i =>
        start({
          actors: [trip, account],
          reactors: groups.map(pair => pair[i]!.reactor),
        }),
      ),
    )
    await until(
      () =>
        nodes.every(node =>
          Object.values(node.stats().reactors).every(({ partitions }) => partitions > 0),
        ),
      patience,
    )
    const ids = Array.from({ length: 20 }, (_, i) => `t${i}`)
    await Promise.all(ids.map((id, n) => nodes[n % 2]!.spawn(trip, id).ask('end', n)))
    for (const id of ids)
      for (const node of nodes) await node.publish(mailed, id, { id: `mail-${id}` })
    for (const pair of groups) {
      const heard = () => pair.flatMap(one => one.heard)
      await until(() => heard().length >= 60, patience)
      t.equal(
        new Set(heard().map(({ id }) => id)).size,
        60,
        'each group receives each message',
      )
      t.equal(heard().length, 60, 'once')
      t.ok(
        pair.every(one => one.heard.length > 0),
        'shared by its nodes',
      )
    }
    for (const id of ids)
      await until(
        async () => (await chargesOf(nodes[0]!, `of ${id}`)).length === 1,
        patience,
      )
    t.equal(
      nodes.map(node => node.stats().courier.handled).reduce((a, b) => a + b),
      20,
      'one node delivered each command',
    )
  },
)

/** What handlers do with messages that they cannot handle, and what is to become of them. */
const failurePolicies: Readonly<
  Record<
    string,
    {
      handle(context: ReactorContext): void
      readonly statuses: readonly string[]
      /** The dead letter: reason, attempts, error. */
      readonly letter?: readonly [string, number, string]
    }
  >
> = {
  'no failure': { handle() {}, statuses: ['processed'] },
  'retryable, once': {
    handle({ attempt }) {
      if (attempt === 1) throw new RetryableError('busy')
    },
    statuses: ['retry-scheduled', 'processed'],
  },
  'retryable, always': {
    handle() {
      throw new RetryableError('busy')
    },
    statuses: ['retry-scheduled', 'retry-scheduled', 'dead-letter'],
    letter: ['max-attempts-exhausted', 3, 'busy'],
  },
  'retryable, as the options say': {
    handle({ attempt }) {
      if (attempt === 1) throw new RangeError('later')
    },
    statuses: ['retry-scheduled', 'processed'],
  },
  'permanent, as the options say': {
    handle() {
      throw new TypeError('nonsense')
    },
    statuses: ['dead-letter'],
    letter: ['terminal', 1, 'nonsense'],
  },
  'permanent: dead letter': {
    handle() {
      throw new TerminalError('of no use')
    },
    statuses: ['dead-letter'],
    letter: ['terminal', 1, 'of no use'],
  },
  'permanent: retry': {
    handle({ attempt, retry }) {
      if (attempt === 1) retry(1)
    },
    statuses: ['retry-scheduled', 'processed'],
  },
  'permanent: park': {
    handle({ park }) {
      park('a human has to look')
    },
    statuses: ['dead-letter'],
    letter: ['parked', 1, 'a human has to look'],
  },
  'permanent: log and acknowledge': {
    handle({ drop }) {
      drop('nobody wants it')
    },
    statuses: ['dropped'],
  },
}

await withServer(
  'A1.8 subscriptions follow from handlers, failures from the policies, and idle readers stay active',
  async (t, server) => {
    const start = scene(t, server.url)
    const lines: { details: Record<string, unknown>; text: string }[] = []
    const take = (details: Record<string, unknown>, text: string) =>
      void lines.push({ details, text })
    const log = takingLog({ debug: take, info: take, warn: take, error: take })
    const reactor = defineReactor({
      name: 'readers',
      on: mailed,
      retry: { attempts: 3, first: 1, when: error => error instanceof RangeError },
      handle: ({ data }, context) => failurePolicies[String(data)]!.handle(context),
    })
    const node = await start({ actors: [trip, account], reactors: [reactor], log })
    // These have no reader, and disturb none.
    await node.spawn(trip, 'x').ask('end', 1)
    await node.publish(ended, 1)
    // Nor is what cannot be decoded given to a reader.
    const nc = await connect({ servers: server.url })
    t.teardown(() => nc.close())
    const { seq } = await nc
      .jetstream()
      .publish(`cairn.${node.namespace}.topic.mails.sent`, new Uint8Array([0xc1]))
    const names = Object.keys(failurePolicies)
    for (const name of names) await node.publish(mailed, name, { id: name })
    const final = () =>
      lines.filter(({ details }) => details['event'] === 'reactor.final')
    await until(() => final().length >= names.length, patience)
    const letters = new Map<unknown, DeadLetter>()
    for await (const letter of node.deadLetters.list())
      letters.set(letter.message.id, letter)
    for (const [name, { statuses, letter }] of Object.entries(failurePolicies)) {
      const own = lines.filter(({ details }) => details['messageId'] === name)
      const attempts = own.filter(({ details }) => details['event'] === 'reactor.attempt')
      t.strictSame(
        attempts.map(({ details }) => details['status']),
        statuses,
        name,
      )
      const found = letters.get(name)
      t.strictSame(
        found && [found.reason, found.attempts, found.error.message],
        letter,
        `the dead letter of ${name}`,
      )
    }
    t.equal(final().length, names.length, 'each message has one end')
    const dropped = final().find(({ details }) => details['status'] === 'dropped')
    t.match(dropped?.text, /nobody wants it/, 'the reason of what is discarded is logged')
    const bad = lines.find(({ details }) => details['position'] === seq)
    t.match(bad?.text, /not a message/, 'what cannot be decoded is logged')

    let looks = 0
    await until(() => ++looks > 100, { describe: 'it has been idle for a while' })
    await node.publish(mailed, 'no failure', { id: 'late' })
    await until(
      () => final().some(({ details }) => details['messageId'] === 'late'),
      patience,
    )
    const { open, failing } = node.stats().reactors['readers']!
    t.strictSame([open, failing], [0, 0])
  },
)

await withServer(
  'A1.8 permanent: stop. A handler closes its node, and the message stays for the next one',
  async (t, server) => {
    const start = scene(t, server.url)
    const attempts: unknown[] = []
    const stopping = defineReactor({
      name: 'readers',
      on: mailed,
      retry: { attempts: 1 },
      async handle({ data }, { attempt, signal }) {
        attempts.push([data, attempt])
        if (attempts.length > 1) return
        void node.close({ timeout: 100 })
        await new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        )
      },
    })
    const node: Node = await start({ reactors: [stopping] })
    await node.publish(mailed, 'no further', { key: 'k' })
    await node.publish(mailed, 'nor this', { key: 'k' })
    await until(() => attempts.length === 1, patience)
    await node.close()
    t.strictSame(attempts, [['no further', 1]], 'it has read no further')
    const next = await start({ reactors: [stopping] })
    await until(() => attempts.length === 3, patience)
    t.strictSame(attempts.slice(1), [
      ['no further', 1],
      ['nor this', 1],
    ])
    for await (const { message } of next.deadLetters.list()) t.fail(message.id)
  },
)

await withServer(
  'A1.9 correlation and causation flow from command to event, message, handler and the next command',
  async (t, server) => {
    const start = scene(t, server.url)
    const contexts: Message[] = []
    const reactor = defineReactor({
      name: 'follow-up',
      on: ended,
      async handle(message, { spawn, publish }) {
        contexts.push(message)
        if (Number(message.data) < 0) return
        await spawn(account, 'handled').ask('charge', 1)
        await spawn(account, 'sent').send('charge', 2)
        await publish(mailed, 'about it')
      },
    })
    const { heard, reactor: mails } = listener('mails', [mailed])
    const node = await start({ actors: [trip, account], reactors: [reactor, mails] })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const causes = { correlationId: 'request ü-1', causationId: 'click', traceparent }
    await node.spawn(trip, 'x').ask('end', 3, { ...causes, commandId: 'the-command' })
    const charged = async (id: string) => (await commitsOf(node, 'account', id))[0]
    await until(
      async () =>
        (await charged('handled')) &&
        (await charged('sent')) &&
        (await charged('of x')) &&
        heard.length === 1,
      patience,
    )
    const [commit] = await commitsOf(node, 'trip', 'x')
    t.match(commit, { ...causes, command: { id: 'the-command' } })
    const event = commit!.events[0]!
    t.match(event, { commandId: 'the-command', correlationId: 'request ü-1' })
    const correlationId = 'request ü-1'
    t.match(contexts[0], {
      id: 'trip/x/1#1',
      correlationId,
      causationId: 'the-command',
      traceparent,
    })
    t.match(await charged('of x'), {
      command: { id: 'trip/x/1#0' },
      correlationId,
      causationId: 'trip/x/1#0',
      traceparent,
    })
    for (const id of ['handled', 'sent'])
      t.match(await charged(id), {
        command: { id: 'trip/x/1#1>follow-up#charge.0' },
        correlationId,
        causationId: 'trip/x/1#1',
        traceparent,
      })
    t.match(heard[0], {
      id: 'trip/x/1#1>follow-up#mails.sent.0',
      correlationId,
      causationId: 'trip/x/1#1',
      traceparent,
    })
    // Without a given correlation id, the first command's id is used.
    await node.spawn(trip, 'y').ask('end', -3, { commandId: 'root' })
    await until(async () => (await charged('of y')) !== undefined, patience)
    t.equal((await charged('of y'))!.correlationId, 'root')
  },
)

await withServer(
  'A1.9 A2.4 invalid ids from outside are replaced deterministically, and reserved names are not shadowed',
  async (t, server) => {
    const start = scene(t, server.url)
    const { heard, reactor } = listener('readers', [ended, mailed])
    const node = await start({ actors: [trip, account], reactors: [reactor] })
    const ref = node.spawn(trip, 'x')
    for (const none of [7, null, { toString: () => 'x' }]) {
      const refused = { code: 'invalid-option', message: /correlationId/ }
      const correlationId = none as never
      await t.rejects(ref.ask('end', 1, { correlationId }), refused)
      await t.rejects(ref.tell('end', 1, { correlationId }), refused)
      await t.rejects(ref.send('end', 1, { correlationId }), refused)
      await t.rejects(node.publish(mailed, 1, { correlationId }), refused)
    }
    await t.rejects(ref.ask('end', 1, { traceparent: 'bell\u0007' }), {
      code: 'invalid-option',
    })
    t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
    const bad = [
      '',
      'a\r\nNats-Msg-Id: forged',
      'bell\u0007',
      '\u0085',
      'x'.repeat(1_025),
      '\ud800',
    ]
    const made: string[] = []
    for (const [n, correlationId] of bad.entries()) {
      const other = node.spawn(trip, `bad-${n}`)
      await other.ask('end', n, { correlationId })
      await other.send('end', n, { correlationId })
      await node.publish(mailed, n, { correlationId })
      const mine = await until(() => {
        const found = heard.filter(
          ({ actor, data }) =>
            actor?.id === `bad-${n}` || (actor === undefined && data === n),
        )
        return found.length === 5 && found
      }, patience)
      const ids = new Set(mine.map(message => message.correlationId))
      t.equal(ids.size, 1, 'the same for the command, the stored one, and the message')
      made.push(...(ids as Set<string>))
    }
    t.equal(new Set(made).size, bad.length, 'another for each')
    t.ok(made.every(id => /^corr-[0-9a-f]{24}$/.test(id)))
    heard.length = 0
    const longest = 'é'.repeat(512)
    t.equal((await ref.ask('end', 1, { correlationId: longest })).version, 1)

    // Data of an event or a message under a reserved name stays data.
    const metadata = {
      'Cairn-Command': 'forged',
      'Cairn-Correlation': 'forged',
      'Nats-Msg-Id': 'forged',
      correlationId: 'forged',
    }
    await node.store.append(
      { type: 'trip', id: 'y' },
      [{ type: 'ended', data: 2, metadata }],
      {
        expected: 'none',
        command: { id: 'real' },
        correlationId: 'real',
        outbox: [{ kind: 'message', topic: 'trips.ended', version: 1, data: metadata }],
      },
    )
    await node.publish(mailed, metadata, { id: 'm', correlationId: 'real' })
    await until(() => heard.length === 4, patience)
    const [commit] = await commitsOf(node, 'trip', 'y')
    t.match(commit, { command: { id: 'real' }, correlationId: 'real' })
    t.strictSame(commit!.events[0]!.metadata, metadata)
    for (const id of ['trip/y/1#0', 'm']) {
      const message = heard.find(one => one.id === id)!
      t.equal(message.correlationId, 'real')
      t.strictSame(message.data, metadata)
    }
  },
)

await withServer(
  'A4.1 publishing returns the broker’s position and time, and the reader receives the correlation id',
  async (t, server) => {
    const start = scene(t, server.url)
    const { heard, reactor } = listener('readers', [mailed])
    const node = await start({ reactors: [reactor] })
    const before = Date.now()
    const first = await node.publish(mailed, 'one', { correlationId: 'c-1' })
    const second = await node.publish(mailed, 'two')
    t.ok(first.at >= before && second.at >= first.at)
    t.strictSame([first.position, second.position], [1, 2])
    await until(() => heard.length === 2, patience)
    t.match(
      heard.find(({ id }) => id === first.id),
      { correlationId: 'c-1', position: 1, data: 'one' },
    )
    const nc = await connect({ servers: server.url })
    const manager = await nc.jetstreamManager()
    const stored = await manager.streams.getMessage(`CAIRN_${node.namespace}_TOPICS`, {
      seq: first.position,
    })
    t.equal(stored.header.get('Cairn-Correlation'), 'c-1', 'and so does the nats CLI')
    await nc.close()
  },
)
