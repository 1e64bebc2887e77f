// Directives: how a node reads them, and what it does while they are not known; failed commands.

import { pino } from 'pino'
import t from 'tap'

import { FailedCommands } from '../../src/actor/failed-commands.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { Directives } from '../../src/actor/directives.js'
import { supervisorType } from '../../src/actor/supervisor.js'
import {
  defineActor as definePublic,
  memory,
  type Node,
  startNode,
} from '../../src/index.js'
import { CairnError, isCairnError } from '../../src/model/errors.js'
import { MemoryLog } from '../../src/store/event-store/memory.js'
import { ManualClock } from '../../src/testing/manual-clock.js'
import { until } from '../support/wait.js'
import {
  account,
  alice,
  barrier,
  deposits,
  type LogLine,
  node,
  observe,
  pushCommit,
  write,
} from './support.js'

const aliceSupervisor = { type: supervisorType, id: 'account/alice' }
const giveDirective = (log: MemoryLog, type: string, more: object = {}) =>
  write(log, aliceSupervisor, [
    [{ type, data: { actor: 'account/alice', by: 'ann', ...more } }],
  ])

function open(log: MemoryLog, options: Parameters<typeof node>[0] = {}) {
  const lines: LogLine[] = []
  const store = observe(log)
  const directives = new Directives({
    store,
    log: (level, message, details) => void lines.push({ level, message, details }),
  })
  const { host, store: hostStore } = node({ on: log, directives, ...options })
  return { directives, host, lines, store, hostStore }
}

void t.test(
  'a pause lets the running command finish, and fails those that wait',
  async t => {
    const log = new MemoryLog()
    const { host, directives, hostStore } = open(log)
    await directives.load()
    const held = barrier()
    hostStore.before = operation => (operation === 'append' ? held.wait() : undefined)
    const running = host.ask(alice, 'deposit', { amount: 1 })
    await held.reached
    const waiting = host.ask(alice, 'deposit', { amount: 2 })
    const reading = host.state(alice)
    await giveDirective(log, 'paused')
    directives.onCommit(aliceSupervisor.id, 1)
    held.letGo()
    t.match(await running, { version: 1 })
    await t.rejects(waiting, { code: 'actor-paused', retryable: true })
    t.match(await reading, { state: { balance: 1 } }, 'a reading is no command')
    await t.rejects(host.tell(alice, 'deposit', { amount: 2 }), { code: 'actor-paused' })
    t.equal(host.stats().deadCommands, 0, 'the sender of tell got the error')
  },
)

void t.test('a pause fails commands that wait for a restart', async t => {
  const log = new MemoryLog()
  const jammed = defineActor({
    type: 'account',
    initialState: 0,
    supervision: { onFailure: 'restart' },
    decide: { deposit: () => event('deposited') },
    evolve: {
      deposited: (): number => {
        throw new Error('jammed')
      },
    },
  })
  await write(log, alice, deposits(1))
  const { host, directives } = open(log, { actors: [jammed], clock: new ManualClock() })
  await directives.load()
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await until(() => host.stats().restarting === 1)
  await giveDirective(log, 'paused', { reason: 'it is jammed' })
  directives.onCommit(aliceSupervisor.id, 1)
  await t.rejects(asked, { code: 'actor-paused', details: { reason: 'it is jammed' } })
})

void t.test('a retry ends the wait for a restart', async t => {
  const log = new MemoryLog()
  const broken = { is: true }
  const shaky = defineActor({
    type: 'account',
    initialState: 0,
    supervision: { onFailure: 'restart' },
    decide: { deposit: () => event('deposited') },
    evolve: {
      deposited: (state: number) => {
        if (broken.is) throw new Error('jammed')
        return state + 1
      },
    },
  })
  await write(log, alice, deposits(1))
  const { host, directives } = open(log, { actors: [shaky], clock: new ManualClock() })
  await directives.load()
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await until(() => host.stats().restarting === 1)
  broken.is = false
  await giveDirective(log, 'retried')
  directives.onCommit(aliceSupervisor.id, 1)
  t.match(await asked, { version: 2 })
})

void t.test('commands wait while directives are not known', async t => {
  const log = new MemoryLog()
  const { host, directives, store, lines } = open(log)
  await directives.load()
  await host.ask(alice, 'deposit', { amount: 1 })
  await giveDirective(log, 'paused')
  // Notices may have been missed, and the store cannot be read: no command is handled.
  store.before = () => {
    throw new CairnError('store-unreachable', 'the cable is out')
  }
  directives.onCommit(aliceSupervisor.id, 1)
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), {
    code: 'store-unreachable',
  })
  directives.markUnverified()
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), {
    code: 'store-unreachable',
  })
  await t.rejects(host.stateAt(alice, 1), { code: 'store-unreachable' })
  t.match(lines, [{ level: 'warn', message: /could not be read.*cable is out/ }])
  store.before = () => {}
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-paused' })
  const held = barrier()
  store.before = () => held.wait()
  await giveDirective(log, 'resumed')
  directives.markUnverified()
  const stopped = new AbortController()
  const given = host.ask(alice, 'deposit', { amount: 1 }, { signal: stopped.signal })
  const asked = host.ask(alice, 'deposit', { amount: 1 })
  await held.reached
  stopped.abort()
  await t.rejects(given, { code: 'aborted' }, 'a wait that can be given up')
  held.letGo()
  t.match(await asked, { version: 2 })
})

void t.test('a read that lags behind the notice is made again', async t => {
  const log = new MemoryLog()
  const { host, directives, store } = open(log)
  await directives.load()
  await giveDirective(log, 'retried')
  let heads = 0
  store.before = async operation => {
    if (operation === 'head' && ++heads === 3) await giveDirective(log, 'paused')
  }
  directives.onCommit(aliceSupervisor.id, 2)
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-paused' })
  t.equal(heads, 3)
  // A wrong notice costs some reads only.
  directives.onCommit(aliceSupervisor.id, 99)
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-paused' })
  const before = heads
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), { code: 'actor-paused' })
  t.equal(heads, before)
})

void t.test('a damaged supervisor stops its own actor only', async t => {
  const log = new MemoryLog()
  pushCommit(log, { actor: aliceSupervisor, firstVersion: 1 }, false)
  const { host, directives, lines } = open(log)
  await directives.load()
  const parked = { code: 'actor-parked', message: /cairn-supervision\/account\/alice/ }
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), parked)
  t.match(await host.ask({ type: 'account', id: 'bob' }, 'deposit', { amount: 1 }), {
    version: 1,
  })
  t.match(lines, [{ level: 'error', message: /cannot be read/ }])
})

void t.test('SUPERVISOR-1: any history of a supervisor can be folded', async t => {
  const log = new MemoryLog()
  await write(log, aliceSupervisor, [
    [{ type: 'unheard-of', data: 5 }],
    [{ type: 'skipped' }, { type: 'skipped', data: { version: 'x' } }],
    [{ type: 'retried', data: { actor: 5 } }, { type: 'resumed' }],
    [{ type: 'paused' }],
  ])
  const { host, directives } = open(log)
  await directives.load()
  await t.rejects(host.ask(alice, 'deposit', { amount: 1 }), {
    code: 'actor-paused',
    details: { by: 'undefined' },
  })
})

void t.test('directives are read once for any number of callers', async t => {
  const log = new MemoryLog()
  for (let i = 0; i < 40; i++)
    await write(log, { type: supervisorType, id: `account/a${i}` }, [
      [{ type: 'paused', data: { actor: `account/a${i}`, by: 'ann' } }],
    ])
  const { host, directives, store } = open(log)
  await Promise.all([directives.load(), directives.load()])
  t.equal(store.calls.head, 40)
  for (const i of [0, 39])
    await t.rejects(
      host.ask({ type: 'account', id: `a${i}` }, 'deposit', { amount: 1 }),
      { code: 'actor-paused' },
    )
  t.equal(store.calls.head, 40)
})

void t.test('failed commands are counted by their code, each once', async t => {
  const store = memory()
  const slow = definePublic({
    type: 'slow',
    initialState: 0,
    mailboxLimit: 1,
    decide: { add: () => event('added'), fail: () => event('sour') },
    evolve: {
      added: (state: number) => state + 1,
      sour: (): number => {
        throw new Error('sour')
      },
    },
  })
  const nodes: Node[] = []
  for (const id of ['a', 'b'])
    nodes.push(await startNode({ namespace: 'dead', id, store, actors: [slow] }))
  t.teardown(() => Promise.all(nodes.map(node => node.close())))
  const [a, b] = nodes as [Node, Node]
  await until(() => nodes.every(node => node.members().length === 2))
  const dead = () => {
    const sum: Record<string, number> = {}
    for (const node of nodes)
      for (const [code, count] of Object.entries(node.stats().dead))
        sum[code] = (sum[code] ?? 0) + count
    return sum
  }
  t.strictSame(dead(), {})
  // Enough actors that each node owns some; all commands are sent through one node.
  const refs = Array.from({ length: 16 }, (_, i) => a.spawn(slow, `s${i}`))
  for (const ref of refs) await t.rejects(ref.ask('fail'), { code: 'actor-parked' })
  for (const ref of refs) await t.rejects(ref.ask('add'), { code: 'actor-parked' })
  t.strictSame(dead(), { 'actor-parked': 32 })
  t.strictSame(a.stats().dead, { 'actor-parked': 32 }, 'where they were sent')
  await t.rejects(a.ask({ type: 'absent', id: 'x' }, 'add'), { code: 'no-node' })
  const paused = b.spawn(slow, 'paused')
  for (const node of nodes) await node.supervise(paused.address).pause()
  await t.rejects(paused.ask('add'), { code: 'actor-paused' })
  await t.rejects(paused.tell('add'), { code: 'actor-paused' })
  t.strictSame(dead(), {
    'actor-parked': 32,
    'no-node': 1,
    'actor-paused': 2,
  })
  // A command sent by tell fails, and is counted, on the node that accepted it.
  for (const ref of refs) await ref.tell('add')
  await until(() => dead()['actor-parked'] === 48)
  const [taken] = nodes.map(node => node.stats().actors.deadCommands)
  t.equal(a.stats().dead['actor-parked'], 32 + taken!)
  t.equal(
    nodes.reduce((sum, node) => sum + node.stats().actors.deadCommands, 0),
    16,
  )
})

void t.test(
  'commands that fail by a full mailbox, a full node or a deadline are counted',
  async t => {
    const log = new MemoryLog()
    const narrow = { ...account, options: { ...account.options, mailboxLimit: 1 } }
    const { host, store } = node({ on: log, actors: [narrow], commandsMax: 3 })
    const dead = new FailedCommands()
    const sender = dead.countFailures(host)
    const held = barrier()
    store.before = operation => (operation === 'append' ? held.wait() : undefined)
    const running = sender.ask(alice, 'deposit', { amount: 1 })
    await held.reached
    const late = sender.ask(alice, 'deposit', { amount: 1 }, { timeout: 100 })
    const third = sender.ask(alice, 'deposit', { amount: 1 })
    await t.rejects(third, { code: 'mailbox-full' })
    const bob = sender.ask({ type: 'account', id: 'bob' }, 'deposit', { amount: 1 })
    await t.rejects(sender.ask(alice, 'deposit', { amount: 1 }), { code: 'queue-full' })
    await t.rejects(late, { code: 'deadline-exceeded' })
    held.letGo()
    await Promise.all([running, bob])
    dead.count(new Error('of another library'))
    t.strictSame(dead.stats(), {
      'mailbox-full': 1,
      'queue-full': 1,
      'deadline-exceeded': 1,
      other: 1,
    })
  },
)

void t.test('without onEscalation, an escalation closes the node', async t => {
  const fatal: string[] = []
  const log = pino({ level: 'fatal' }, { write: (line: string) => void fatal.push(line) })
  const vault = definePublic({
    type: 'vault',
    initialState: 0,
    decide: { rob: () => event('robbed') },
    evolve: {
      robbed: (): number => {
        throw new Error('it is empty')
      },
    },
    supervision: { onFailure: 'escalate' },
  })
  const actors = [vault]
  const node = await startNode({ namespace: 'ns', store: memory(), actors, log })
  const ref = node.spawn(vault, 'v')
  await t.rejects(ref.ask('rob'), { code: 'actor-parked' }, 'who asked is answered')
  await until(
    async () => {
      try {
        await ref.ask('rob')
        return false
      } catch (error) {
        return isCairnError(error, 'node-closed')
      }
    },
    { describe: 'it closes by itself' },
  )
  await node.close()
  t.match(JSON.parse(fatal.join('')), {
    level: 60,
    actor: 'vault/v',
    msg: 'an actor has failed; this node closes',
  })
  const escalations: string[] = []
  await using other = await startNode({
    namespace: 'ns',
    store: memory(),
    actors,
    onEscalation: ({ actor, error }) =>
      void escalations.push(`${actor.id} ${error.code}`),
  })
  await t.rejects(other.spawn(vault, 'v').ask('rob'), { code: 'actor-parked' })
  t.strictSame(escalations, ['v actor-parked'])
  await t.rejects(
    other.spawn(vault, 'v').ask('rob'),
    { code: 'actor-parked' },
    'the node continues',
  )
})
