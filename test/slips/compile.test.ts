// Slips in TypeScript: the compiler refuses each in a line that can be read.

import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const root = process.cwd()
const prelude = `
import { createMachine } from 'xstate'
import { limit, only } from '${join(root, 'dist/doors/middleware.js')}'
import { httpHandler, serveHttp } from '${join(root, 'dist/doors/http.js')}'
import { withWork } from '${join(root, 'dist/testing/index.js')}'
import { type CommandShape, contract, defineActor, defineConsumer, defineProjection, defineReactor, defineTopic, embedded,
  event, fromMachine, jetstream, memory, publish, defineWork, type FailedWork, perform, reject, type Rejection, schedule, send, startNode, statesOf } from '${join(root, 'dist/index.js')}'
const topic = defineTopic('orders')
const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: { amount: number }) => event('deposited', { amount }),
    withdraw: (state, { amount }: { amount: number }) =>
      state.balance < amount ? reject('overdraft') : event('withdrawn', { amount }),
    close: () => event('closed'),
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({ balance: state.balance + amount }),
    withdrawn: (state, { amount }: { amount: number }) => ({ balance: state.balance - amount }),
    closed: state => state,
  },
})
const charge = defineWork('charge', async ({ cents }: { cents: number }) => ({ receipt: String(cents) }))
const Driver = contract<{ assign: CommandShape<{ job: string }, number, Rejection<'busy'>>; gone: void }>('driver')
const typed = defineTopic<{ clientId: string }>('carts')
const node = await startNode({ namespace: 'x', store: memory(), actors: [account] })
const alice = node.spawn(account, 'alice')
`

/** The slip, and what the compiler says. */
const slips: readonly [slip: string, message: RegExp][] = [
  [
    `await alice.ask('deposite', { amount: 1 })`,
    /'"deposite"' is not assignable to parameter of type '"deposit" \| "withdraw" \| "close"'/,
  ],
  [
    `await alice.tell('depositt', { amount: 1 })`,
    /parameter of type '"deposit" \| "withdraw" \| "close"'/,
  ],
  [
    `await alice.send('Deposit', { amount: 1 })`,
    /parameter of type '"deposit" \| "withdraw" \| "close"'/,
  ],
  [`await alice.ask('deposit')`, /Expected 2-3 arguments, but got 1/],
  [
    `await alice.ask('deposit', { amonut: 1 })`,
    /'amonut' does not exist.*Did you mean to write 'amount'/,
  ],
  [
    `await alice.ask('deposit', { amount: 1 }, { comandId: 'k' })`,
    /'comandId' does not exist in type 'AskOptions<undefined>'. Did you mean to write 'commandId'/,
  ],
  [
    `void (await alice.ask('deposit', { amount: 1 }, { expectedVersion: 7 })).reply`,
    /Property 'reply' does not exist on type 'RejectedOutcome<VersionConflictRejection>'/,
  ],
  [
    `await alice.tell('deposit', { amount: 1 }, { expectedVersion: 7 })`,
    /'expectedVersion' does not exist in type 'SendOptions'/,
  ],
  [
    `await alice.until(({ balanse }) => balanse > 1)`,
    /Property 'balanse' does not exist on type '{ balance: number; }'/,
  ],
  [
    `for await (const { event } of alice.watch()) console.log(event.type)`,
    /'event' is possibly 'undefined'/,
  ],
  [
    `send(account, 'alice', 'depositt', { amount: 1 })`,
    /'"depositt"' is not assignable to parameter of type '"deposit" \| "withdraw" \| "close"'/,
  ],
  // Of a command without data, too.
  [
    `send(account, 'alice', 'clos')`,
    /^Argument of type '"clos"' is not assignable to parameter of type '"deposit" \| "withdraw" \| "close"'\.$/,
  ],
  [
    `send({ type: 'account', id: 'alice' }, 'close')`,
    /^Expected at least 3 arguments, but got 2\.$/,
  ],
  [
    `send(Driver, 'd1', 'asign', { job: 'x' })`,
    /'"asign"' is not assignable to parameter of type '"assign" \| "gone"'/,
  ],
  [
    `send(Driver, 'd1', 'assign', { jbo: 'x' })`,
    /'jbo' does not exist in type '{ job: string; }'/,
  ],
  [
    `send(Driver, 'd1', 'assign', { job: 'x' }, { refsed: 'no' })`,
    /'refsed' does not exist in type 'Answers<never, never>'. Did you mean to write 'refused'/,
  ],
  [
    `await node.transact(tx => tx.ask(account, 'alice', 'depositt', { amount: 1 }))`,
    /'"depositt"' is not assignable to parameter of type '"deposit" \| "withdraw" \| "close"'/,
  ],
  [
    `await node.spawn(Driver, 'd1').ask('asign', { job: 'x' })`,
    /'"asign"' is not assignable to parameter of type '"assign" \| "gone"'/,
  ],
  [`await node.spawn(Driver, 'd1').state()`, /Property 'state' does not exist/],
  [
    `defineActor({ implements: Driver, initialState: 0, decide: { assign: () => ({ reply: 1 }) }, evolve: {} })`,
    /Property 'gone' is missing/,
  ],
  [
    `defineActor({ implements: Driver, initialState: 0, decide: { assign: () => ({ reply: 'x' }), gone() {} }, evolve: {} })`,
    /"this command has another reply than its contract"/,
  ],
  [
    `defineActor({ implements: Driver, initialState: 0, decide: { assign: () => reject('bsy'), gone() {} }, evolve: {} })`,
    /"this command has a rejection that its contract does not name"/,
  ],
  [
    `defineActor({ implements: Driver, initialState: 0, decide: { assign: (_s, d: { jub: string }) => ({ reply: d.jub.length }), gone() {} }, evolve: {} })`,
    /Property 'jub' is missing in type '{ job: string; }'/,
  ],
  [
    `defineActor({ initialState: 0, decide: {}, evolve: {} })`,
    /Property 'type' is missing/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, performs: [charge], decide: { go: () => [event('e'), perform(charge, { cents: 1 }, { done: 'dun', failed: 'bad' })], bad: () => event('e') }, evolve: { e: (n: number) => n } })`,
    /"decide has no command: dun"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, performs: [charge], decide: { go: () => [event('e'), perform(charge, { cents: 1 }, { done: 'ok', failed: 'bad' })], ok: (_s, _d: { receit: string }) => event('e'), bad: () => event('e') }, evolve: { e: (n: number) => n } })`,
    /"decide takes other data for the command: ok"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, performs: [charge], decide: { go: () => [event('e'), perform(charge, { cents: 1 }, { done: 'ok', failed: 'bad' })], ok: () => event('e'), bad: (_s, _d: FailedWork<'charge', { euros: number }>) => event('e') }, evolve: { e: (n: number) => n } })`,
    /"decide takes other data for the command: bad"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => [event('e'), perform(charge, { cents: 1 }, { done: 'ok', failed: 'bad' })], ok: () => event('e'), bad: () => event('e') }, evolve: { e: (n: number) => n } })`,
    /"performs does not list the work: charge"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, publishes: [typed], performs: [charge], decide: { go: () => [event('e'), publish(typed, { clientId: 'c' }), schedule('x', { after: 1 }, 'dun')] }, evolve: { e: (n: number) => n } })`,
    /"decide has no command: dun"/,
  ],
  [
    `perform(charge, { cnts: 1 }, { done: 'ok', failed: 'bad' })`,
    /'cnts' does not exist in type '{ cents: number; }'/,
  ],
  [`perform(charge, { cents: 1 }, { done: 'ok' })`, /Property 'failed' is missing/],
  [
    `perform(charge, { cents: 1 }, { done: 'ok', failed: 'bad', retrys: {} })`,
    /'retrys' does not exist in type 'PerformOptions<.*'. Did you mean to write 'retry'/,
  ],
  [
    `perform('charge', { cents: 1 }, { done: 'ok', failed: 'bad' })`,
    /not assignable to parameter of type 'Work</,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => [event('e'), schedule('t', { after: 1 }, 'og')] }, evolve: { e: (n: number) => n } })`,
    /"decide has no command: og"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: (_s, d: { n: number }) => [event('e', d), schedule('t', { after: 1 }, 'go', { n: '1' })] }, evolve: { e: (n: number) => n } })`,
    /"decide takes other data for the command: go"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => ({ events: [event('e'), send(Driver, 'd', 'assign', { job: 'x' }, { refused: 'no' })] }) }, evolve: { e: (n: number) => n } })`,
    /"decide has no command: no"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => [event('e'), send(Driver, 'd', 'assign', { job: 'x' }, { replied: 'yes' })], yes: (_s, { reply }: { reply: string }) => event('e', reply) }, evolve: { e: (n: number) => n } })`,
    /"decide takes other data for the command: yes"/,
  ],
  [
    `publish(typed, { clientid: 'c' })`,
    /'clientid' does not exist in type '{ clientId: string; }'/,
  ],
  [
    `await startNode({ namespace: 'x', store: memory(), actor: [account] })`,
    /'actor' does not exist in type 'NodeOptions'. Did you mean to write 'actors'/,
  ],
  [`await startNode({ namespace: 'x' })`, /Property 'store' is missing/],
  [
    `await startNode({ namespace: 'x', store: memory })`,
    /Type '\(\) => Backend' is not assignable to type 'Backend'/,
  ],
  [
    `await startNode({ namespace: 'x', store: memory(), actors: [createMachine({ id: 'm' })] })`,
    /missing the following properties from type 'ActorDefinition<any, any, any>': type, behavior/,
  ],
  [
    `defineReactor({ name: 'r', on: 'orders', handle() {} })`,
    /Type '"orders"' is not assignable to type 'AnyTopic \| TopicPattern/,
  ],
  [
    `defineReactor({ name: 'r', on: topic, handler() {} })`,
    /'handler' does not exist.*Did you mean to write 'handle'/,
  ],
  [`defineConsumer({ name: 'c', topics: [topic] })`, /'topics' does not exist/],
  [
    `defineActor({ type: 'b', initialState: 0, mailBoxLimit: 5, decide: {}, evolve: {} })`,
    /'mailBoxLimit' does not exist.*Did you mean to write 'mailboxLimit'/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('f') }, evolve: { e: (n: number) => n } })`,
    /"evolve does not fold the event: f"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('e', 'text') }, evolve: { e: (n, d: number) => n + d } })`,
    /"evolve folds other data for the event: e"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('e', { by: 'ann', n: 1 }) }, evolve: { e: (n, d: { by: number; n: number }) => n + d.by + d.n } })`,
    /"evolve folds other data for the event: e \(its field by\)"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('e', { to: 'stock' }) }, evolve: { e: (n, _d: { to: 'stock' | 'shop' }) => n } })`,
    /"evolve folds other data for the event: e \(its field to: .*as const\)"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('e', 'stock') }, evolve: { e: (n, _d: 'stock' | 'shop') => n } })`,
    /"evolve folds other data for the event: e \(.*as const\)"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: () => event('e', { n: 1 }) }, evolve: { e: (n, d: { n: number; by: string }) => n + d.by.length } })`,
    /"evolve folds other data for the event: e \(its field by is missing\)"/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, decide: { go: (_n, d: any) => event('e', d) }, evolve: { e: (n: number) => n } })`,
    /"the data of this command is any: declare its type"/,
  ],
  [`publish('orders', 1)`, /'string' is not assignable to parameter of type 'Topic/],
  [
    `await node.publish('orders', 1)`,
    /'string' is not assignable to parameter of type 'Topic/,
  ],
  [
    `await node.publish(topic, 1, { ID: 'm' })`,
    /'ID' does not exist in type 'PublishOptions'/,
  ],
  [
    `defineProjection({ name: 'p', from: account, initial: 0, when: { deposit: (n: number) => n } })`,
    /'deposit' does not exist.*Did you mean to write 'deposited'/,
  ],
  [
    `schedule('t', { afer: 5 }, 'go')`,
    /'afer' does not exist in type 'TimerOptions'. Did you mean to write 'after'/,
  ],
  [
    `embedded({ directory: 'x' })`,
    /'directory' does not exist in type 'EmbeddedOptions'/,
  ],
  [`jetstream({ server: 'x' })`, /Did you mean to write 'servers'/],
  [
    `node.on('deadletter', () => {})`,
    /'"deadletter"' is not assignable to parameter of type '"dead-letter" \| "parked"/,
  ],
  [`reject(503)`, /'number' is not assignable to parameter of type 'string'/],
  [`limit({ perSecnd: 5 })`, /Did you mean to write 'perSecond'/],
  [
    `limit({ perSecond: 5, by: 'account' })`,
    /Type '"account"' is not assignable to type/,
  ],
  [
    `only('account', (_command, next) => next())`,
    /'string' is not assignable to parameter of type 'AnyActorDefinition'/,
  ],
  [
    `only(account, (command, next) => (command.type === 'depositt' ? undefined : next()))`,
    /types '"deposit" \| "withdraw" \| "close"' and '"depositt"' have no overlap/,
  ],
  [
    `defineActor({ type: 'b', initialState: 0, guard: () => {}, decide: {}, evolve: {} })`,
    /Type 'void' is not assignable to type 'string \| boolean \| Promise/,
  ],
  [
    `defineProjection({ name: 'p', from: statesOf('account'), row: () => 1 })`,
    /'string' is not assignable to parameter of type 'AnyActorDefinition'/,
  ],
  [
    `await node.transact(() => {}, { visibleIn: 'p' })`,
    /Type 'string' is not assignable to type 'readonly ReadModelName\[\]'/,
  ],
  [
    `await serveHttp(node, { port: 0 })`,
    /'Node' is not assignable to parameter of type '\(request: Request\)/,
  ],
  [`await httpHandler(node, { token: 'x' })`, /Did you mean to write 'tokens'/],
  [
    `await httpHandler(node, { anonymous: 'reader' })`,
    /not assignable to type 'readonly .*\[\]'/,
  ],
  [
    `withWork(account, charge, async () => ({ receit: 'x' }))`,
    /Property 'receipt' is missing in type '{ receit: string; }'/,
  ],
  [
    `await node.deadLetters.discardAll({ reactr: 'r' })`,
    /'reactr' does not exist in type 'DeadLetterBulkOptions'. Did you mean to write 'reactor'/,
  ],
  [
    `fromMachine(createMachine({ id: 'm' }), { emit: {} })`,
    /'emit' does not exist.*Did you mean to write 'emits'/,
  ],
]

await t.test('each slip is an error of the compiler, in one readable line', async t => {
  const files = new Map(
    slips.map(([slip], i) => [
      join(root, `test/slips/slip-${i}.ts`),
      `${prelude}${slip}\n`,
    ]),
  )
  const { options } = ts.parseJsonConfigFileContent(
    {
      ...(ts.readConfigFile('tsconfig.json', ts.sys.readFile).config as object),
      include: [],
    },
    ts.sys,
    root,
  )
  const base = ts.createCompilerHost(options)
  const host: ts.CompilerHost = {
    ...base,
    fileExists: name => files.has(name) || base.fileExists(name),
    getSourceFile(name, version, ...rest) {
      const text = files.get(name)
      return text === undefined
        ? base.getSourceFile(name, version, ...rest)
        : ts.createSourceFile(name, text, version)
    },
  }
  const program = ts.createProgram([...files.keys()], { ...options, noEmit: true }, host)
  for (const [i, [slip, message]] of slips.entries()) {
    const file = program.getSourceFile([...files.keys()][i]!)
    const found = program.getSemanticDiagnostics(file)
    const text = found
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
      .join('\n')
    t.match(text, message, slip)
    // The first line is what editors show.
    t.ok(text.split('\n')[0]!.length < 400, `${slip}: ${text}`)
  }
})
