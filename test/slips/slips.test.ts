// Slips in JavaScript, where no compiler helps: each is an error at once, which says what is wrong, where, and what to
// do instead.

import t from 'tap'
import { createMachine } from 'xstate'

import * as http from '../../src/doors/http.js'
import * as middleware from '../../src/doors/middleware.js'
import * as otel from '../../src/doors/otel.js'
import * as cairn from '../../src/index.js'
import * as testing from '../../src/testing/index.js'

// Untyped on purpose: what follows is JavaScript.
// oxlint-disable-next-line typescript/no-explicit-any
type Untyped = any
const untyped = cairn as Untyped
const { actorAt, cancel, defineActor, defineConsumer, defineProjection } = untyped
const { defineReactor, defineTopic, defineWork, embedded, event, eventsOf } = untyped
const { fromMachine, jetstream, memory, parseAddress, perform, publish } = untyped
const { reject, schedule, send, startNode, statesOf } = untyped
const { limit, only }: Untyped = middleware
const { httpHandler, serveHttp }: Untyped = http
const { startMetrics, startTracing }: Untyped = otel
const { given, testCluster, withWork }: Untyped = testing

const topic = defineTopic('orders')
const charge = defineWork('charge', () => 1)
const ends = { done: 'deposit', failed: 'deposit' }
const account = defineActor({
  type: 'account',
  publishes: [topic],
  performs: [charge],
  guard: ({ type }: { type: string }) => (type === 'unguarded' ? undefined : true),
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
    unguarded: () => event('deposited', 1),
    codeless: () => reject(503),
    untold: () => reject('no', { a: 1 }),
    listed: () => [reject('no')],
    wrongEnd: () => [event('deposited', 1), perform(charge, 1, { ...ends, done: 'don' })],
    wrongCancel: () => [event('deposited', 1), cancel(charge, { nam: 'x' })],
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
    /Reactor r has "orders" as topics: a text is a pattern/,
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
  [
    () => alice.ask('codeless'),
    /reject got 503 as the code: pass a text, reject\('overdraft'/,
    'invalid-definition',
  ],
  [
    () => alice.ask('untold'),
    /reject\("no"\) got an object as the message: pass a text/,
    'invalid-definition',
  ],
  [
    () => alice.ask('listed'),
    /a rejection among its events: return reject\(…\) alone/,
    'invalid-definition',
  ],
  // Work
  [() => defineWork('a b', handle), /"a b" is not a name of work/, 'invalid-definition'],
  [
    () => defineWork('x'),
    /Work x has undefined: pass the function/,
    'invalid-definition',
  ],
  [
    () => defineWork('x', handle, { timeOut: 5 }),
    /Work x has no option "timeOut"\. Did you mean timeout\?/,
    'invalid-option',
  ],
  [
    () => perform('charge', 1, ends),
    /perform has "charge" as work: pass what defineWork returns/,
    'invalid-definition',
  ],
  [
    () => perform(charge, 1, { done: 'deposit' }),
    /Work charge has failed: undefined: name a command/,
    'invalid-option',
  ],
  [
    () => perform(charge, 1, { ...ends, retrys: {} }),
    /Work charge has no option "retrys"\. Did you mean retry\?/,
    'invalid-option',
  ],
  [
    () => perform(charge, handle, ends),
    /input of work "charge" cannot be stored: the value itself is a function/,
    'invalid-data',
  ],
  [
    () => defineActor({ ...spec, performs: charge }),
    /performs of actor type b is an object: pass a list/,
    'invalid-definition',
  ],
  [
    () => defineActor({ ...spec, performs: [charge, charge] }),
    /has work charge twice: list each once/,
    'invalid-definition',
  ],
  [
    () => alice.ask('wrongEnd'),
    /no command "don"\..* It knows deposit/,
    'unknown-command',
  ],
  [
    () => alice.ask('wrongCancel'),
    /cancel of work charge has no option "nam"\. Did you mean name\?/,
    'invalid-option',
  ],
  // Guards and middleware
  [
    () => defineActor({ ...spec, guard: true }),
    /guard is true: it must be a function/,
    'invalid-definition',
  ],
  [
    () => alice.ask('unguarded'),
    /The guard of account returned undefined.*return true, or false/,
    'invalid-definition',
  ],
  [
    () => startNode({ ...good, middleware: [{}] }),
    /middleware of startNode has an object: pass functions/,
    'invalid-option',
  ],
  [
    () => startNode({ ...good, middleware: handle }),
    /middleware of startNode is a function: pass a list/,
    'invalid-option',
  ],
  [() => limit(5), /limit takes an object of options, and got 5/, 'invalid-option'],
  [
    () => limit({ perSecnd: 5 }),
    /limit has no option "perSecnd"\. Did you mean perSecond\?/,
    'invalid-option',
  ],
  [
    () => limit({ perSecond: 5, by: 'account' }),
    /by of limit is "account": use 'type'/,
    'invalid-option',
  ],
  [
    () => only('account', handle),
    /only has "account", which is not an actor definition/,
    'invalid-definition',
  ],
  [
    () => only(account),
    /only\(account\) got undefined as its middleware: pass a function/,
    'invalid-option',
  ],
  // Projections of states, and what must be in them
  [() => statesOf(), /statesOf got no definition/, 'invalid-definition'],
  [() => statesOf([account]), /statesOf has a list, which is not/, 'invalid-definition'],
  [
    () => defineProjection({ name: 'p', from: statesOf(account), when: {} }),
    /no option "when"\. It has name, version, from, key, row/,
    'invalid-definition',
  ],
  [
    () => defineProjection({ name: 'p', from: statesOf(account) }),
    /row of projection p is undefined: pass a function/,
    'invalid-definition',
  ],
  [
    () => node.transact(handle, { visibleIn: 'p' }),
    /visibleIn has "p": pass projections/,
    'invalid-option',
  ],
  [
    () => alice.ask('deposit', 1, { visibleIn: [account] }),
    /visibleIn has an object: pass projections/,
    'invalid-option',
  ],
  [() => node.projection('p'), /projection has "p": pass what/, 'invalid-definition'],
  // HTTP
  [() => httpHandler(), /httpHandler has undefined as its node/, 'invalid-option'],
  [
    () => httpHandler({ tokens: 'x' }),
    /an object as its node: pass what startNode returns/,
    'invalid-option',
  ],
  [
    () => httpHandler(node, { token: 'x' }),
    /httpHandler has no option "token"\. Did you mean tokens\?/,
    'invalid-option',
  ],
  [
    () => httpHandler(node, { anonymous: 'reader' }),
    /anonymous of httpHandler is "reader": pass a list/,
    'invalid-option',
  ],
  [
    () => httpHandler(node, { anonymous: ['admin'] }),
    /anonymous has "admin": use reader/,
    'invalid-option',
  ],
  [
    () => httpHandler(node, { hosts: 'example.com' }),
    /hosts of httpHandler is "example\.com": pass a list/,
    'invalid-option',
  ],
  [
    () => httpHandler(node, { authenticate: 'x' }),
    /authenticate of httpHandler is "x": pass a function/,
    'invalid-option',
  ],
  [
    () => serveHttp(node, { port: 0 }),
    /serveHttp has an object: pass the fetch of what httpHandler returns/,
    'invalid-option',
  ],
  [
    () => serveHttp(handle, { port: '80' }),
    /port of serveHttp is "80": use a whole number/,
    'invalid-option',
  ],
  [
    () => serveHttp(handle, { prot: 80 }),
    /serveHttp has no option "prot"\. Did you mean port\?/,
    'invalid-option',
  ],
  // OpenTelemetry
  [
    () => startTracing({ provider: 1 }),
    /startTracing has no option "provider"/,
    'invalid-option',
  ],
  [
    () => startTracing({ tracerProvider: {} }),
    /without getTracer\(\): pass a provider/,
    'invalid-option',
  ],
  [() => startMetrics(), /startMetrics has undefined as its node/, 'invalid-option'],
  // The test kit
  [() => given('account'), /given has "account", which is not/, 'invalid-definition'],
  [
    () => given(account, event('deposited', 1)),
    /given\(account\) got .* as its events: pass a list/,
    'invalid-option',
  ],
  [
    () => testCluster({ actors: [account], node: 3 }),
    /testCluster has no option "node"\. Did you mean nodes\?/,
    'invalid-option',
  ],
  [
    () => withWork('account', charge, handle),
    /withWork has "account", which is not an actor definition/,
    'invalid-definition',
  ],
  [
    () => withWork(account, charge),
    /withWork got undefined for work charge: pass the function/,
    'invalid-definition',
  ],
  // Addresses and topics
  [
    () => actorAt('account', 'alice'),
    /actorAt has "account": pass/,
    'invalid-definition',
  ],
  [() => parseAddress(7), /7 is not an actor address/, 'invalid-actor-id'],
  [() => eventsOf('account'), /eventsOf has "account", which is/, 'invalid-definition'],
  // Nodes
  [
    () => node.deadLetters.discardAll({ reactr: 'r' }),
    /discardAll of dead letters has no option "reactr"\. Did you mean reactor\?/,
    'invalid-option',
  ],
  [
    () => node.deadLetters.retryAll({ name: 'r' }),
    /retryAll of dead letters has no option "name"\. It has reactor/,
    'invalid-option',
  ],
  [
    () => node.deadLetters.list({ topics: 'r' }),
    /list of dead letters has no option "topics"\. Did you mean topic\?/,
    'invalid-option',
  ],
  [() => node.timers({ actr: 1 }), /timers has no option "actr"/, 'invalid-option'],
  [() => node.backlogs({ topc: 'x' }), /backlogs has no option "topc"/, 'invalid-option'],
  [
    () => node.settled({ timeOut: 5 }),
    /settled has no option "timeOut"\. Did you mean timeout\?/,
    'invalid-option',
  ],
  [() => node.close(5), /close takes an object of options, and got 5/, 'invalid-option'],
  [
    () => alice.until('x'),
    /until of account\/alice got "x": pass a function of the state/,
    'invalid-option',
  ],
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
  t.ok(slips.length >= 120, `${slips.length} slips`)
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
