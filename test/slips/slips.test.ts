// Slips in JavaScript, where no compiler helps: each is an error at once, which says what is wrong, where, and what to
// do instead.

import t from 'tap'
import { createMachine } from 'xstate'

import * as cairn from '../../src/index.js'

// Untyped on purpose: what follows is JavaScript.
// oxlint-disable-next-line typescript/no-explicit-any
type Untyped = any
const untyped = cairn as Untyped
const { cancel, defineActor, defineConsumer, defineProjection, defineReactor } = untyped
const { defineTopic, embedded, event, fromMachine, jetstream, memory } = untyped
const { publish, schedule, send, startNode } = untyped

const topic = defineTopic('orders')
const account = defineActor({
  type: 'account',
  publishes: [topic],
  initialState: { balance: 0 },
  decide: {
    deposit: (_state: unknown, amount: number) => event('deposited', amount),
    slip: () => event('depositd', 1),
    text: () => 'deposited',
    promise: async () => event('deposited', 1),
    undeclared: () => [event('deposited', 1), publish(defineTopic('others'), 1)],
    byName: () => [event('deposited', 1), publish('orders', 1)],
    wrongTimer: () => [event('deposited', 1), schedule('t', { after: 5 }, 'depsit')],
    timerOption: () => [event('deposited', 1), schedule('t', { afer: 5 }, 'deposit')],
    extra: () => ({ events: event('deposited', 1), replay: 1 }),
  },
  evolve: { deposited: (state: { balance: number }) => state },
})
const machine = createMachine({ id: 'door', initial: 'a', states: { a: {} } })
const good = { namespace: 'x', store: memory() }
const handle = () => {}
const fold = { from: account, initial: 0 }
const spec = { type: 'b', initialState: 0, decide: {}, evolve: {} }

await using node = await startNode({ ...good, actors: [account] })
const alice = node.spawn(account, 'alice')

/** The slip, what the message must say, and its code. */
const slips: readonly [slip: () => unknown, message: RegExp, code: string][] = [
  // startNode
  [
    () => startNode(),
    /startNode takes an object of options, and got undefined/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, actor: [account] }),
    /startNode has no option "actor"\. Did you mean actors\?/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, Reactors: [] }),
    /no option "Reactors"\. Did you mean reactors\?/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, frobnicate: 1 }),
    /no option "frobnicate"\. It has namespace, store/,
    'invalid-option',
  ],
  [
    () => startNode({ namespace: 'x' }),
    /store of startNode is undefined: pass memory\(\)/,
    'invalid-option',
  ],
  [
    () => startNode({ namespace: 'x', store: memory }),
    /store of startNode is a function that is not called/,
    'invalid-option',
  ],
  [
    () => startNode({ namespace: 'x', store: 'nats://127.0.0.1' }),
    /store of startNode is "nats:/,
    'invalid-option',
  ],
  [() => startNode({ store: memory() }), /undefined.*namespace/, 'invalid-namespace'],
  [
    () => startNode({ ...good, namespace: 'My_Tenant' }),
    /My_Tenant/,
    'invalid-namespace',
  ],
  [
    () => startNode({ ...good, actors: account }),
    /actors of startNode is an object: pass a list/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, actors: [machine] }),
    /has an XState machine: wrap it, fromMachine\(machine\)/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, actors: ['account'] }),
    /has "account", which is not an actor definition/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, actors: [undefined] }),
    /has undefined, which is not an actor definition/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, reactors: [handle] }),
    /reactors of startNode has a function: pass what defineReactor/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, projections: [account] }),
    /pass what defineProjection returns/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, timers: 'off' }),
    /timers is "off": use 'active' or 'passive'/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, log: 'info' }),
    /log of startNode is "info" without the methods/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, actors: [account, account] }),
    /defined twice/,
    'invalid-definition',
  ],
  // Backends
  [() => embedded(), /embedded takes an object of options/, 'invalid-option'],
  [
    () => embedded({ directory: 'x' }),
    /embedded has no option "directory"/,
    'invalid-option',
  ],
  [() => embedded('data'), /got "data": pass \{ dir \}/, 'invalid-option'],
  [
    () => jetstream({ server: 'nats://x' }),
    /no option "server"\. Did you mean servers\?/,
    'invalid-option',
  ],
  [
    () => jetstream({ url: 'nats://x' }),
    /jetstream has no option "url"\. It has servers/,
    'invalid-option',
  ],
  // defineActor
  [() => defineActor(), /defineActor got undefined: pass \{ type/, 'invalid-definition'],
  [
    () => defineActor({ ...spec, mailBoxLimit: 5 }),
    /Actor type b has no option "mailBoxLimit"\. Did you mean mailboxLimit\?/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, mailboxLimit: '5' }),
    /mailboxLimit is "5": use a positive whole number/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, decide: undefined }),
    /Actor type b needs decide/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, decide: { go: 'x' } }),
    /decide\.go of actor type b is "x"/,
    'invalid-definition',
  ],
  [
    () => defineActor({ type: 'b', decide: {}, evolve: {} }),
    /Actor type b has no initialState/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, publishes: ['orders'] }),
    /has "orders" as a topic: pass topics made by defineTopic/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, commandWindow: { command: 5 } }),
    /commandWindow has no option "command"\. Did you mean commands\?/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, supervision: { onFail: 'park' } }),
    /supervision has "onFail"/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, version: '2' }),
    /version of actor type b is 2/,
    'invalid-definition',
  ],
  [
    () => fromMachine({ id: 'door' }),
    /pass what XState's createMachine/,
    'invalid-definition',
  ],
  [
    () => fromMachine(machine, { emit: {} }),
    /fromMachine\(door\) has no option "emit"\. Did you mean emits\?/,
    'invalid-definition',
  ],
  // Topics, reactors, consumers, projections
  [() => defineTopic('a topic'), /"a topic" is not a topic/, 'invalid-definition'],
  [
    () => defineTopic('t', { scheme: {} }),
    /Topic "t" has no option "scheme"\. Did you mean schema\?/,
    'invalid-definition',
  ],
  [
    () => defineReactor({ name: 'r', on: 'orders', handle }),
    /Reactor r has "orders" as a topic/,
    'invalid-definition',
  ],
  [
    () => defineReactor({ name: 'r', on: topic, handler: handle }),
    /no option "handler"\. Did you mean handle\?/,
    'invalid-definition',
  ],
  [
    () => defineReactor({ name: 'r', on: topic }),
    /handle of reactor r is undefined/,
    'invalid-definition',
  ],
  [
    () => defineReactor({ name: 'r', on: topic, handle, retry: { attemps: 3 } }),
    /retry of reactor r has no option "attemps"\. Did you mean attempts\?/,
    'invalid-definition',
  ],
  [
    () => defineReactor({ name: 'r', on: topic, handle, retry: 'twice' }),
    /retry of reactor r is "twice"/,
    'invalid-definition',
  ],
  [
    () => defineConsumer({ name: 'c', topics: [topic] }),
    /no option "topics"/,
    'invalid-definition',
  ],
  [
    () => defineProjection({ name: 'p', ...fold }),
    /when of projection p is undefined/,
    'invalid-definition',
  ],
  [
    () => defineProjection({ name: 'p', ...fold, wen: {} }),
    /no option "wen"\. Did you mean when\?/,
    'invalid-definition',
  ],
  [
    () => defineProjection({ name: 'p', from: 'account', initial: 0, when: {} }),
    /from of projection p has "account"/,
    'invalid-definition',
  ],
  // References
  [
    () => node.spawn('account', 'alice'),
    /spawn has "account", which is not an actor definition/,
    'invalid-definition',
  ],
  [
    () => node.spawn(machine, 'alice'),
    /spawn has an XState machine/,
    'invalid-definition',
  ],
  [() => node.spawn(account), /undefined/, 'invalid-actor-id'],
  [() => node.spawn(account, 7), /7/, 'invalid-actor-id'],
  [
    () => alice.ask('depositt', 1),
    /no command "depositt"\. Did you mean deposit\? It knows deposit/,
    'unknown-command',
  ],
  [
    () => alice.ask('deposit', 1, { comandId: 'k' }),
    /ask has no option "comandId"\. Did you mean commandId\?/,
    'invalid-option',
  ],
  [
    () => alice.ask('deposit', 1, 5_000),
    /ask takes an object of options, and got 5000/,
    'invalid-option',
  ],
  [
    () => alice.tell('deposit', 1, { timeOut: 5 }),
    /tell has no option "timeOut"\. Did you mean timeout\?/,
    'invalid-option',
  ],
  [
    () => alice.send('deposit', 1, { id: 'k' }),
    /send has no option "id"/,
    'invalid-option',
  ],
  [() => alice.send('withdraw', 1), /no command "withdraw"/, 'unknown-command'],
  [
    () => alice.ask('deposit', 1, { timeout: '5s' }),
    /timeout is "5s": use 1 to/,
    'invalid-option',
  ],
  [
    () => alice.state({ fresh: 'local' }),
    /state has no option "fresh"/,
    'invalid-option',
  ],
  [() => alice.watch({ after: 3 }), /watch has no option "after"/, 'invalid-option'],
  // Decisions
  [
    () => alice.ask('slip'),
    /returned event "depositd", which evolve does not fold\. Did you mean deposited\?/,
    'invalid-definition',
  ],
  [
    () => alice.ask('text'),
    /decide returned "deposited": return event/,
    'invalid-definition',
  ],
  [
    () => alice.ask('promise'),
    /returned a promise: it must be synchronous/,
    'invalid-definition',
  ],
  [
    () => alice.ask('undeclared'),
    /published on others.*add the topic to publishes/,
    'invalid-definition',
  ],
  [() => alice.ask('byName'), /has "orders" as a topic/, 'invalid-definition'],
  [
    () => alice.ask('wrongTimer'),
    /no command "depsit"\. Did you mean deposit\?/,
    'unknown-command',
  ],
  [
    () => alice.ask('timerOption'),
    /Timer "t" has no option "afer"\. Did you mean after\?/,
    'invalid-option',
  ],
  [
    () => alice.ask('extra'),
    /returned an object with "replay": only events and reply/,
    'invalid-definition',
  ],
  [
    () => send(account, 'bob', 'depositt', 1),
    /no command "depositt"\. Did you mean deposit\?/,
    'unknown-command',
  ],
  [() => cancel(''), /""/, 'invalid-timer'],
  // Nodes
  [() => node.publish('orders', 1), /has "orders" as a topic/, 'invalid-definition'],
  [
    () => node.publish(topic, 1, { ID: 'm' }),
    /publish has no option "ID"\. Did you mean id\?/,
    'invalid-option',
  ],
  [
    () => node.transact({ id: 't' }),
    /transact got an object: pass a function/,
    'invalid-option',
  ],
  [
    () => node.transact(() => {}, { attempt: 3 }),
    /transact has no option "attempt"\. Did you mean attempts\?/,
    'invalid-option',
  ],
  [() => node.trigger('erp', 'x'), /handler of a trigger is "x"/, 'invalid-option'],
  [
    () => node.trigger('erp', handle, { concurrent: 2 }),
    /trigger has no option "concurrent"/,
    'invalid-option',
  ],
  [
    () => node.consumer(defineConsumer({ name: 'c', on: topic })).consume({ max: 5 }),
    /consume of c has no option "max"/,
    'invalid-option',
  ],
  [() => node.on('deadletter', handle), /no event "deadletter"/, 'invalid-option'],
]

await t.test('each slip is an error with a code and a remedy', async t => {
  t.ok(slips.length >= 40)
  for (const [slip, message, code] of slips) {
    const title = slip.toString()
    try {
      await slip()
      t.fail(`${title} passed`)
    } catch (error) {
      t.ok(cairn.isCairnError(error), `${title}: ${String(error)}`)
      t.match(error, { code, message }, title)
    }
  }
})

await t.test('a slip of a command leaves its actor as it was', async t => {
  t.match(await alice.ask('deposit', 1), { ok: true, version: 1 })
})
