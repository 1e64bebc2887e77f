// Schemas of actor types, with four implementations of Standard Schema: types are inferred (this file has to compile), and
// what does not fit is refused by its path.

import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import t from 'tap'
import * as v from 'valibot'
import { assign, setup } from 'xstate'
import { z } from 'zod'

import { defineActor } from '../../src/actor/define-actor.js'
import type {
  CommandsOf,
  RecordedEventOf,
  StateOf,
} from '../../src/actor/definition-types.js'
import { event } from '../../src/actor/event.js'
import { publish, schedule, send } from '../../src/actor/effects.js'
import { reject } from '../../src/actor/reject.js'
import { memory } from '../../src/backend/memory.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { StandardSchema } from '../../src/model/schema.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { given } from '../../src/testing/given.js'

// The compiler calls two deferred conditional types identical only if their operands are.
type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

/** Cairn's own declaration of the interface and that of the specification are the same. */
export const ours: StandardSchema<string, number> = {} as StandardSchemaV1<string, number>
export const theirs: StandardSchemaV1<string, number> = {} as StandardSchema<
  string,
  number
>

const cents = z.object({ cents: z.number().int().positive() })
const account = defineActor({
  type: 'account',
  schemas: {
    state: z.object({ balance: z.number(), owner: z.string().nullable() }),
    commands: {
      deposit: cents,
      withdraw: v.object({ cents: v.pipe(v.number(), v.minValue(1)) }),
      open: type({ owner: 'string > 0' }),
      close: z.object({ at: z.iso.datetime().transform(text => Date.parse(text)) }),
      break: z.object({}),
    },
    events: {
      deposited: cents,
      opened: type({ owner: 'string' }),
      closed: z.object({ at: z.number(), why: z.string().default('asked') }),
    },
    replies: { deposit: z.object({ balance: z.number() }), broken: z.string() },
  },
  initialState: { balance: 0, owner: null },
  decide: {
    deposit: (state, { cents: added }) => {
      same<Equal<typeof state.owner, string | null>>()
      same<Equal<typeof added, number>>()
      return {
        events: event('deposited', { cents: added }),
        reply: after => ({ balance: after.balance, secret: 1 }),
      }
    },
    withdraw: (state, { cents: taken }) =>
      state.balance < taken ? reject('overdraft') : event('withdrawn', taken),
    open: (_state, { owner }) => event('opened', { owner }),
    close: (_state, { at }) => event('closed', { at }),
    // Without a schema, data declares its type, as ever.
    rename: (_state, { to }: { to: string }) => event('opened', { owner: to }),
    wrongEvent: () => event('deposited', { cents: -1 }),
    wrongState: () => event('withdrawn', NaN),
    broken: () => ({ events: event('withdrawn', 0), reply: 'text' }),
    break: () => ({ reply: 'no schema' }),
    remind: () => [
      event('withdrawn', 0),
      schedule('later', { after: 1 }, 'deposit', { cents: '5' as never }),
    ],
  },
  evolve: {
    deposited: (state, { cents: added }) => ({
      ...state,
      balance: state.balance + added,
    }),
    withdrawn: (state, taken: number) => ({ ...state, balance: state.balance - taken }),
    opened: (state, { owner }) => ({ ...state, owner }),
    closed: (state, { at, why }) => {
      same<Equal<typeof at, number>>()
      same<Equal<typeof why, string>>()
      return state
    },
  },
})

type Commands = CommandsOf<typeof account>
same<Equal<StateOf<typeof account>, { balance: number; owner: string | null }>>()
same<Equal<Commands['deposit']['data'], { cents: number }>>()
same<Equal<Commands['deposit']['reply'], { balance: number }>>()
same<Equal<Commands['withdraw']['data'], { cents: number }>>()
same<Equal<Commands['open']['data'], { owner: string }>>()
// A caller passes what the schema takes.
same<Equal<Commands['close']['data'], { at: string }>>()
same<Equal<Commands['rename']['data'], { to: string }>>()
type Closed = Extract<RecordedEventOf<typeof account>, { type: 'closed' }>
same<Equal<Closed['data'], { at: number; why: string }>>()

// An `evolve` that takes no data leaves the type to the schema, or else to what `decide` emits.
const talk = defineActor({
  type: 'talk',
  schemas: { events: { said: z.object({ text: z.string().default('') }) } },
  initialState: 0,
  decide: {
    say: (_state, text: string) => event('said', { text }),
    tag: (_state, tag: string) => [event('tagged', { tag }), event('left')],
    retag: (_state, count: number) => ({ events: [event('tagged', { count })] }),
  },
  evolve: {
    said: n => n + 1,
    tagged: n => n,
    left: n => n,
    // Of an earlier version: nothing emits it any more.
    old: n => n,
  },
})
type DataOf<Type extends RecordedEventOf<typeof talk>['type']> = Extract<
  RecordedEventOf<typeof talk>,
  { type: Type }
>['data']
same<Equal<DataOf<'said'>, { text: string }>>()
same<Equal<DataOf<'tagged'>, { tag: string } | { count: number }>>()
same<Equal<DataOf<'left'>, undefined>>()
same<Equal<DataOf<'old'>, unknown>>()

/** Never called: these have to be refused by the compiler. */
export function refused() {
  given(talk, [
    event('said', { text: 'hello' }),
    // @ts-expect-error -- the schema has another field
    event('said', { txet: 'hello' }),
  ])
  const amount = z.object({ amount: z.number() })
  given(account)
    // @ts-expect-error -- the field has another name
    .when('deposit', { amuont: 5 })
  defineActor({
    type: 'x',
    schemas: { commands: { add: amount } },
    initialState: 0,
    decide: {
      // @ts-expect-error -- the schema has no such field
      add: (_state, { amuont }) => event('added', amuont as number),
    },
    evolve: { added: (state, by: number) => state + by },
  })
  defineActor({
    type: 'x',
    schemas: { events: { added: amount } },
    initialState: 0,
    decide: {
      // @ts-expect-error -- the schema takes { amount }
      add: () => event('added', { amuont: 1 }),
    },
    evolve: { added: (state, data) => state + data.amount },
  })
  defineActor({
    type: 'x',
    schemas: { replies: { add: z.number() } },
    initialState: 0,
    decide: {
      // @ts-expect-error -- the schema takes a number
      add: () => ({ reply: 'text' }),
    },
    evolve: {},
  })
  defineActor({
    type: 'x',
    schemas: { commands: { add: amount } },
    initialState: 0,
    // @ts-expect-error -- there is no handler for the schema
    decide: {},
    evolve: {},
  })
}

const lock = setup({
  types: {
    context: {} as { code: string },
    events: {} as { type: 'lock'; code: string } | { type: 'open' },
  },
}).createMachine({
  id: 'door',
  context: { code: '' },
  initial: 'closed',
  states: {
    closed: {
      on: {
        lock: { target: 'locked', actions: assign({ code: ({ event: e }) => e.code }) },
      },
    },
    locked: { on: { open: 'closed' } },
  },
})
const door = fromMachine(lock, {
  schemas: { events: { lock: z.object({ code: z.string().trim().min(4) }) } },
})
/** Never called. */
export function refusedMachines() {
  fromMachine(lock, {
    // @ts-expect-error -- the event has a code
    schemas: { events: { lock: z.object({ kode: z.string() }) } },
  })
}

const x = { type: 'account', id: 'x' }

void t.test('a slip is refused with its field, and nothing is stored', async t => {
  await using node = await startNode({
    namespace: 'bank',
    store: memory(),
    actors: [account, door],
    log: false,
  })
  const ref = node.spawn(account, 'x')
  const slips: readonly [string, unknown, string][] = [
    ['deposit', { amuont: 5 }, 'cents'],
    ['deposit', { cents: '5' }, 'cents'],
    ['deposit', undefined, ''],
    ['deposit', null, ''],
    ['withdraw', { cents: 0 }, 'cents'],
    ['open', { owner: '' }, 'owner'],
    ['close', { at: 'tomorrow' }, 'at'],
  ]
  for (const [command, data, path] of slips) {
    const wanted = { code: 'invalid-command', details: { issues: [{ path }] } }
    const what = `${command} ${JSON.stringify(data)}`
    const untyped = { ref: ref as never as { tell: typeof node.ask }, data }
    await t.rejects(node.ask(x, command, data), wanted, `ask ${what}`)
    await t.rejects(node.ask(x, command, data, { commandId: 'mine' }), wanted)
    await t.rejects(node.send(x, command, data), wanted, `send ${what}`)
    await t.rejects(ref.send(command as 'deposit', data as never), wanted)
    await t.rejects(ref.tell(command as 'deposit', untyped.data as never), wanted)
    await t.rejects(
      node.transact(tx => tx.ask(account, 'x', command as 'deposit', data as never)),
      wanted,
    )
    t.throws(() => send(account, 'x', command as 'deposit', data as never), wanted)
    const named =
      path === '' ? /data of command .* is not valid/ : new RegExp(`: ${path}: `)
    await t.rejects(node.ask(x, command, data), { message: named })
  }
  await t.rejects(node.ask({ type: 'door', id: 'd' }, 'lock', { code: ' 12 ' }), {
    code: 'invalid-command',
    details: { issues: [{ path: 'code' }] },
  })
  t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
  t.equal(node.stats().actors.parked, 0)
})

void t.test('what a schema makes is decided and stored', async t => {
  await using node = await startNode({
    namespace: 'bank',
    store: memory(),
    actors: [account, door],
    log: false,
  })
  const ref = node.spawn(account, 'x')
  const extra = { cents: 5, note: 'a field that the schema drops' }
  t.match(await ref.ask('deposit', extra), { ok: true, reply: { balance: 5 } })
  const stored = await ref.ask('deposit', { cents: 1 })
  t.strictSame(
    stored.ok && stored.reply,
    { balance: 6 },
    'the reply is what its schema makes',
  )
  const at = '2026-01-01T00:00:00.000Z'
  for (const commandId of [undefined, 'mine', 'mine'])
    await ref.ask('close', { at }, commandId === undefined ? {} : { commandId })
  await ref.send('close', { at }, { commandId: 'durable' })
  await ref.tell('close', { at })
  for await (const one of ref.watch({ from: 0 })) {
    const { event: told } = one
    if (told.kind === 'event' && told.version === 6) break
  }
  const data: unknown[] = []
  for await (const one of ref.events()) if (one.kind === 'event') data.push(one.data)
  const closed = { at: Date.parse(at), why: 'asked' }
  t.strictSame(data, [{ cents: 5 }, { cents: 1 }, closed, closed, closed, closed])
  const front = node.spawn(door, 'front')
  await front.ask('lock', { code: ' 1234 ' })
  t.equal((await front.state()).state.context.code, '1234')
})

void t.test('a decision that does not conform fails, and nothing is stored', async t => {
  await using node = await startNode({
    namespace: 'bank',
    store: memory(),
    actors: [account],
    log: false,
  })
  const ref = node.spawn(account, 'x')
  await t.rejects(ref.ask('wrongEvent'), {
    code: 'invalid-event',
    message: /event "deposited" of account\/x is not valid: cents: /,
  })
  await t.rejects(ref.ask('wrongState'), {
    code: 'decide-failed',
    message: /state after command "wrongState".* is not valid: balance: /,
  })
  await t.rejects(ref.ask('remind'), {
    code: 'invalid-command',
    details: { issues: [{ path: 'cents' }] },
  })
  t.equal(await node.store.lastPosition(), 0)
  t.match(await ref.ask('broken'), { ok: true, reply: 'text' })
  given(account).when('wrongState').thenThrows('decide-failed')
  given(account).when('deposit', { cents: -1 }).thenThrows('invalid-command')
})

void t.test(
  'a command that was stored is answered again after its schema has changed',
  async t => {
    const store = memory()
    const version = (least: number) =>
      defineActor({
        type: 'counter',
        schemas: { commands: { add: z.number().min(least) } },
        initialState: 0,
        decide: { add: (_state, by) => event('added', by) },
        evolve: { added: (state, by: number) => state + by },
      })
    const counter = { type: 'counter', id: 'c' }
    const options = { commandId: 'first' }
    {
      await using node = await startNode({
        namespace: 'bank',
        store,
        actors: [version(1)],
        log: false,
      })
      await node.ask(counter, 'add', 5, options)
    }
    await using node = await startNode({
      namespace: 'bank',
      store,
      actors: [version(10)],
      log: false,
    })
    t.match(await node.ask(counter, 'add', 5, options), { version: 1, duplicate: true })
    await t.rejects(node.ask(counter, 'add', 5), { code: 'invalid-command' })
  },
)

void t.test('schemas that cannot work are refused', async t => {
  const of = (schemas: unknown) =>
    defineActor({
      type: 'odd',
      schemas: schemas as object,
      initialState: 0,
      decide: { add: () => event('added') },
      evolve: { added: state => state },
    })
  const wrong: readonly [unknown, RegExp][] = [
    [null, /schemas of actor type odd is null/],
    [{ command: {} }, /command/],
    [{ commands: { add: z } }, /schemas\.commands\.add .* Standard Schema/],
    [{ commands: { ad: z.string() } }, /"ad".* Did you mean add/],
    [{ events: { add: z.string() } }, /"add".* There are added/],
    [{ replies: { added: z.string() } }, /There are add/],
    [{ state: 5 }, /schemas\.state/],
  ]
  for (const [schemas, message] of wrong)
    t.throws(() => of(schemas), { code: 'invalid-definition', message })
  t.throws(() => fromMachine(lock, { schemas: { events: { locc: z.any() } } as never }), {
    code: 'invalid-definition',
    message: /"locc"/,
  })
  const later = of({ commands: { add: z.string().refine(async () => true) } })
  given(later)
    .when('add', 'x' as never)
    .thenThrows(/returned a promise/)
  const throwing = {
    '~standard': { version: 1, vendor: 'x', validate: () => JSON.parse('{') },
  }
  given(of({ commands: { add: throwing } }))
    .when('add')
    .thenThrows(/threw/)
  const odd = of({ commands: { add: z.any().transform(() => new Map()) } })
  given(odd).when('add').thenThrows('invalid-data')
  t.end()
})

void t.test('topics of actors are checked when they are published', async t => {
  const topic = defineTopic('sums', { schema: type({ sum: 'number' }) })
  t.throws(() => publish(topic, { sum: '1' as never }), {
    code: 'invalid-message',
    details: { issues: [{ path: 'sum' }] },
  })
  t.end()
})
