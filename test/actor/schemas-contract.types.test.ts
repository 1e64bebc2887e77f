// Schemas of a definition that implements a contract, and schemas of the commands that bring answers. The compiler checks
// this file, which must compile.

import t from 'tap'
import { z } from 'zod'

import { contract } from '../../src/actor/contract.js'
import { defineActor } from '../../src/actor/define-actor.js'
import type { CommandShape } from '../../src/actor/definition.js'
import type { CommandsOf, StateOf } from '../../src/actor/definition-types.js'
import { schedule, send } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { memory } from '../../src/backend/memory.js'
import type { Rejection } from '../../src/model/behavior.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'

// The compiler calls two deferred conditional types identical only if their operands are.
type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

const patience = { timeout: 60_000 }

interface Loan {
  readonly book: string
  readonly days?: number | undefined
}
const Desk = contract<{
  lend: CommandShape<Loan, { readonly lent: number }, Rejection<'lent', undefined>>
  giveBack: { readonly book: string }
  count: CommandShape<undefined, number, never>
}>('desk')

const desk = defineActor({
  implements: Desk,
  schemas: {
    commands: {
      lend: z.object({ book: z.string().min(2), days: z.number().default(14) }),
    },
    replies: {
      lend: z.object({ lent: z.number() }),
      count: z.number().max(2),
    },
    events: { lent: z.object({ book: z.string(), days: z.number().max(99) }) },
  },
  initialState: { books: [] as readonly string[] },
  decide: {
    lend: ({ books }, { book, days }) => {
      // What the schema makes, and not what the contract says.
      same<Equal<typeof days, number>>()
      return books.includes(book)
        ? reject('lent')
        : {
            events: event('lent', { book, days }),
            reply: after => ({ lent: after.books.length, secret: 1 }),
          }
    },
    // Without a schema, the data is that of the contract.
    giveBack: (_state, data) => {
      same<Equal<typeof data, { readonly book: string }>>()
      return event('givenBack', data.book)
    },
    count: ({ books }, data) => {
      same<Equal<typeof data, undefined>>()
      return { reply: books.length }
    },
  },
  evolve: {
    lent: ({ books }, { book, days }) => {
      same<Equal<typeof days, number>>()
      return { books: [...books, book] }
    },
    givenBack: ({ books }, given: string) => ({
      books: books.filter(book => book !== given),
    }),
  },
})
type Commands = CommandsOf<typeof desk>
same<Equal<StateOf<typeof desk>, { books: readonly string[] }>>()
same<Equal<Commands['lend']['data'], { book: string; days?: number | undefined }>>()
same<Equal<Commands['lend']['reply'], { lent: number }>>()
same<Equal<Commands['giveBack']['data'], { readonly book: string }>>()

/** Never called: these have to be refused by the compiler. */
export function refused() {
  const base = { implements: Desk, initialState: 0, evolve: {} } as const
  const rest = { giveBack: () => {}, count: () => ({ reply: 1 }) }
  defineActor({
    ...base,
    schemas: { commands: { lend: z.object({ book: z.number() }) } },
    decide: {
      ...rest,
      // @ts-expect-error -- the schema takes other data than the contract
      lend: () => ({ reply: { lent: 1 } }),
    },
  })
  defineActor({
    ...base,
    schemas: { replies: { lend: z.string() } },
    decide: {
      ...rest,
      // @ts-expect-error -- the reply of the schema is another than that of the contract
      lend: () => ({ reply: 'text' }),
    },
  })
  defineActor({
    ...base,
    schemas: { commands: { lend: z.object({ book: z.string() }) } },
    // @ts-expect-error -- a command of the contract has no handler
    decide: { count: () => ({ reply: 1 }), lend: () => ({ reply: { lent: 1 } }) },
  })
  defineActor({
    type: 'x',
    schemas: { commands: { add: z.object({ by: z.number() }) } },
    initialState: 0,
    decide: {
      add: (_state, { by }) => event('added', by),
      // @ts-expect-error -- the schema takes other data than the timer has
      later: () => [event('added', 0), schedule('t', { after: 1 }, 'add', { by: '5' })],
    },
    evolve: { added: (state, by: number) => state + by },
  })
}

const answered = z.object({ command: z.string(), data: z.unknown() })
const heard = answered.extend({ rejection: z.object({ code: z.literal('lent') }) })
const reader = defineActor({
  type: 'reader',
  schemas: {
    commands: {
      lent: answered.extend({ reply: z.object({ lent: z.number() }) }),
      refused: heard.transform(({ rejection }) => rejection.code),
      // The compiler does not know what a timer's command replies.
      timed: z.object({ reply: z.unknown().transform(reply => String(reply).length) }),
      call: z.object({ to: z.string().min(3) }),
    },
  },
  initialState: [] as readonly unknown[],
  decide: {
    ask: (_state, { book }: { book: string }) => [
      event('asked'),
      send(Desk, 'main', 'lend', { book }, { refused: 'refused', replied: 'lent' }),
    ],
    remind: (_state, { to }: { to: string }) => [
      event('asked'),
      schedule('call', { after: 1 }, 'call', { to }, { replied: 'timed' }),
    ],
    call: (_state, { to }) => ({ events: event('asked'), reply: `to ${to}` }),
    lent: (_state, { reply }) => event('heard', reply.lent),
    refused: (_state, code) => event('heard', code),
    timed: (_state, { reply }) => event('heard', reply),
  },
  evolve: {
    asked: state => state,
    heard: (state, what: unknown) => [...state, what],
  },
})

void t.test('a definition has a contract and schemas', async t => {
  await using node = await startNode({
    namespace: 'library',
    store: memory(),
    actors: [desk],
    log: false,
  })
  const byContract = node.spawn(Desk, 'main')
  const wrong = { code: 'invalid-command', details: { issues: [{ path: 'book' }] } }
  await t.rejects(byContract.ask('lend', { book: 'x' }), wrong)
  await t.rejects(byContract.send('lend', { book: 'x' }), wrong)
  await t.rejects(byContract.ask('lend', { book: 'x' }, { expectedVersion: 7 }), wrong)
  t.match(await byContract.ask('lend', { book: 'emma' }, { expectedVersion: 7 }), {
    ok: false,
    rejection: { code: 'version-conflict' },
  })
  await t.rejects(byContract.ask('lend', { book: 'emma', days: 100 }), {
    code: 'invalid-event',
    details: { issues: [{ path: 'days' }] },
  })
  t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
  const outcome = await byContract.ask('lend', { book: 'emma' }, { expectedVersion: 0 })
  t.strictSame(outcome.ok && outcome.reply, { lent: 1 })
  for await (const one of node.spawn(desk, 'main').events())
    t.match(one, { type: 'lent', data: { book: 'emma', days: 14 } })
  t.match(await byContract.ask('lend', { book: 'emma' }), { rejection: { code: 'lent' } })
})

void t.test('commands that bring answers go through their schemas', async t => {
  await using node = await startNode({
    namespace: 'library',
    store: memory(),
    actors: [desk, reader],
    log: false,
  })
  const ref = node.spawn(reader, 'r')
  const heardOf = (count: number) =>
    ref.until(what => what.length === count, patience).then(({ state }) => state)
  await ref.ask('ask', { book: 'emma' })
  t.strictSame(await heardOf(1), [1])
  await ref.ask('ask', { book: 'emma' })
  t.strictSame(await heardOf(2), [1, 'lent'], 'what the schema makes is decided')
  await ref.ask('remind', { to: 'anna' })
  t.strictSame(await heardOf(3), [1, 'lent', 'to anna'.length])
  const { version } = await ref.state()
  await t.rejects(ref.ask('remind', { to: 'a' }), {
    code: 'invalid-command',
    details: { issues: [{ path: 'to' }] },
  })
  t.equal((await ref.state()).version, version, 'the timer is refused when it is set')
})

void t.test('an answer that its schema refuses becomes a dead letter', async t => {
  const strict = defineActor({
    type: 'strict',
    schemas: { commands: { lent: z.object({ reply: z.string() }) } },
    initialState: 0,
    decide: {
      ask: () => [
        event('asked'),
        send(
          contract<{ lend: CommandShape<{ book: string }, string> }>('desk'),
          'main',
          'lend',
          { book: 'emma' },
          { replied: 'lent' },
        ),
      ],
      lent: () => event('asked'),
    },
    evolve: { asked: count => count + 1 },
  })
  await using node = await startNode({
    namespace: 'library',
    store: memory(),
    actors: [desk, strict],
    log: false,
  })
  await node.spawn(strict, 's').ask('ask')
  await until(async () => {
    for await (const letter of node.deadLetters.list())
      return /reply/.test(JSON.stringify(letter))
    return false
  }, patience)
  t.equal((await node.spawn(desk, 'main').state()).version, 1, 'the desk has lent')
  t.equal((await node.spawn(strict, 's').state()).version, 1)
})
