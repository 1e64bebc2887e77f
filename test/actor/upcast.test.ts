// Events that change shape: histories of an earlier definition are read, folded, reacted to and continued by a later one,
// on every store.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import type { Backend } from '../../src/backend/backend.js'
import { embedded } from '../../src/backend/embedded.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { memory } from '../../src/backend/memory.js'
import { eventsOf } from '../../src/delivery/messages/event-topic.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { defineProjection } from '../../src/projection/define-projection.js'
import { startNode } from '../../src/runtime/start-node.js'
import { given } from '../../src/testing/given.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

interface Account {
  readonly cents: number
  readonly fees: number
  readonly owner: string
}

/** As it was in the first year. */
const first = defineActor({
  type: 'account',
  initialState: { balance: 0, owner: '' },
  decide: {
    deposit: (_state, amount: number) => event('moneyAdded', { amount }),
    withdraw: (_state, data: { amount: number; fee: number }) => event('withdrawn', data),
    name: (_state, first: string) => [
      event('firstNamed', first),
      event('lastNamed', 'Doe'),
      event('viewed'),
    ],
  },
  evolve: {
    moneyAdded: (state, { amount }: { amount: number }) => ({
      ...state,
      balance: state.balance + amount,
    }),
    withdrawn: (state, { amount, fee }: { amount: number; fee: number }) => ({
      ...state,
      balance: state.balance - amount - fee,
    }),
    firstNamed: (state, owner: string) => ({ ...state, owner }),
    lastNamed: (state, last: string) => ({ ...state, owner: `${state.owner} ${last}` }),
    viewed: state => state,
  },
})

/** Renamed, split, retyped, merged and dropped events, each in steps of their own years. */
const later = defineActor({
  type: 'account',
  version: 3,
  upcast: {
    // Renamed in year two, retyped in year three: the rename leads to version 1, and the chain goes on.
    moneyAdded: [(data: { amount: number }) => event('deposited', data)],
    deposited: [
      ({ amount }: { amount: number }) => event('deposited', { cents: amount * 100 }),
    ],
    // A fee became an event of its own; later the fee got a currency, and a receipt.
    withdrawn: [
      ({ amount, fee }: { amount: number; fee: number }) => [
        event('withdrawn', { cents: amount * 100 }),
        event('charged', fee),
      ],
    ],
    charged: [
      (fee: number) => [event('charged', { cents: fee * 100 }), event('receipted')],
    ],
    // Two types became one.
    firstNamed: [(first: string) => event('named', { first })],
    lastNamed: [(last: string) => event('named', { last })],
    viewed: [() => []],
  },
  initialState: (): Account => ({ cents: 0, fees: 0, owner: '' }),
  decide: {
    deposit: (_state, cents: number) => event('deposited', { cents }),
    total: state => ({ reply: state }),
  },
  evolve: {
    deposited: (state, { cents }: { cents: number }) => ({
      ...state,
      cents: state.cents + cents,
    }),
    withdrawn: (state, { cents }: { cents: number }) => ({
      ...state,
      cents: state.cents - cents,
    }),
    charged: (state, { cents }: { cents: number }) => ({
      ...state,
      cents: state.cents - cents,
      fees: state.fees + cents,
    }),
    receipted: state => state,
    named: (state, { first, last }: { first?: string; last?: string }) => ({
      ...state,
      owner: last === undefined ? first! : `${state.owner} ${last}`,
    }),
  },
})

const x = { type: 'account', id: 'x' }
const folded = { cents: 1_100, fees: 100, owner: 'Ann Doe' }
/** What the later definition makes of the history, by id. */
const upcasted = [
  ['account/x/1', 'deposited', { cents: 2_000 }],
  ['account/x/2', 'withdrawn', { cents: 1_000 }],
  ['account/x/2.1', 'charged', { cents: 100 }],
  ['account/x/2.1.1', 'receipted', undefined],
  ['account/x/3', 'named', { first: 'Ann' }],
  ['account/x/4', 'named', { last: 'Doe' }],
  ['account/x/6', 'deposited', { cents: 200 }],
]

await using server = await startNats()
const stores: readonly [string, Backend][] = [
  ['memory', memory()],
  ['embedded', embedded({ dir: t.testdir() })],
  ['JetStream', jetstream({ servers: server.url })],
]

for (const [name, store] of stores)
  await t.test(`a history of an earlier definition goes on, on ${name}`, async t => {
    const namespace = 'years'
    {
      await using node = await startNode({
        namespace,
        store,
        actors: [first],
        log: false,
      })
      const ref = node.spawn(first, 'x')
      await ref.ask('deposit', 20)
      await ref.ask('withdraw', { amount: 10, fee: 1 })
      await ref.ask('name', 'Ann')
    }
    const heard: unknown[][] = []
    const reactor = defineReactor({
      name: 'listener',
      on: eventsOf(later),
      handle: ({ id, data }) => void heard.push([id, data.type, data.data]),
    })
    const fees = defineProjection({
      name: 'fees',
      from: later,
      initial: { cents: 0, out: 0 },
      when: {
        withdrawn: (row, { data }) => ({ ...row, out: row.out + data.cents }),
        charged: (row, { data }) => ({ ...row, cents: row.cents + data.cents }),
      },
    })
    await using node = await startNode({
      namespace,
      store,
      actors: [later],
      reactors: [reactor],
      projections: [fees],
      log: false,
    })
    const ref = node.spawn(later, 'x')
    t.match(await ref.state(), {
      state: { ...folded, cents: 900 },
      version: 5,
      exists: true,
    })
    const stored = await ref.ask('deposit', 200)
    t.equal(stored.version, 6)
    t.match(await ref.ask('total'), { reply: folded })
    t.match(await node.state(x, { version: 2 }), { state: { cents: 900, owner: '' } })
    const seen: unknown[][] = []
    for await (const one of ref.events())
      if (one.kind === 'event') seen.push([one.id, one.type, one.data])
    t.strictSame(seen, upcasted)
    await until(() => heard.length === upcasted.length, { timeout: 60_000 })
    t.strictSame(heard, upcasted, 'a reactor gets the same')
    await node.projection(fees).waitFor(stored)
    t.strictSame(await node.projection(fees).get('x'), { cents: 100, out: 1_000 })
    const raw: unknown[][] = []
    for await (const one of node.store.read(x))
      if (one.kind === 'event') raw.push([one.type, one.schemaVersion])
    t.strictSame(raw, [
      ['moneyAdded', undefined],
      ['withdrawn', undefined],
      ['firstNamed', undefined],
      ['lastNamed', undefined],
      ['viewed', undefined],
      ['deposited', 2],
    ])
    const watched: unknown[][] = []
    for await (const { event: one, version } of ref.watch({ from: 0 })) {
      watched.push([version, one.type])
      if (version === 6) break
    }
    t.strictSame(
      watched,
      [
        [1, 'deposited'],
        [2, 'withdrawn'],
        [3, 'named'],
        [4, 'named'],
        [5, 'viewed'],
        [6, 'deposited'],
      ],
      'one step for each version',
    )
  })

await t.test('a specification takes what earlier versions have stored', async t => {
  const old = (type: string, data: unknown, schemaVersion = 1) => ({
    type,
    data,
    schemaVersion,
  })
  given(later, [old('moneyAdded', { amount: 3 }), event('deposited', { cents: 1 })])
    .when('total')
    .thenReply({ cents: 301, fees: 0, owner: '' })
  given(later, [old('deposited', { amount: 3 }), old('deposited', { cents: 3 }, 2)])
    .when('total')
    .thenReply({ cents: 303, fees: 0, owner: '' })
  given(later, [old('withdrawn', { amount: 1, fee: 2 }), old('charged', 3)])
    .when('total')
    .thenReply({ cents: -600, fees: 500, owner: '' })
  given(later, [old('deposited', {}, 3)])
    .when('total')
    .thenThrows(/schema version 3, and this definition knows 2/)
  t.end()
})

await t.test(
  'an unknown type, a failing step and a later version park with the position',
  async t => {
    const failing = (upcast: object) =>
      defineActor({
        type: 'account',
        version: 2,
        upcast: upcast as never,
        initialState: 0,
        decide: { add: () => event('added') },
        evolve: { added: state => state + 1 },
      })
    const cases: readonly [string, object, RegExp, number?][] = [
      ['unknown', {}, /has no evolve for event "unknown"/],
      ['renamed', { renamed: [() => event('gone')] }, /has no evolve for event "gone"/],
      [
        'old',
        { old: [(data: { a: { b: 1 } }) => event('added', data.a.b)] },
        /upcast of event "old" from schema version 1 threw/,
      ],
      ['old', { old: [() => 5] }, /upcast of event "old".* gave: 5 is not an event/],
      ['old', { old: [async () => event('added')] }, /returned a promise/],
      ['a', { a: [() => event('b')], b: [() => event('a')] }, /does not end/],
      ['added', {}, /schema version 7, and this definition knows 1/, 7],
    ]
    for (const [type, upcast, reason, schemaVersion] of cases) {
      await using node = await startNode({
        namespace: 'parked',
        store: memory(),
        actors: [failing(upcast)],
        log: false,
      })
      await node.store.append({ type: 'account', id: 'other' }, [event('added')])
      const stored = {
        type,
        data: {},
        ...(schemaVersion !== undefined && { schemaVersion }),
      }
      await node.store.append(x, [event('added'), stored])
      const parked = { code: 'actor-parked', message: reason }
      await t.rejects(node.ask(x, 'add'), parked, `${type} ${String(reason)}`)
      await t.rejects(node.state(x), {
        message: /account\/x\/2 .* at position 2/,
        details: { position: 2, version: 2 },
      })
    }
    t.throws(
      () =>
        defineActor({ type: 'a', upcast: {}, initialState: 0, decide: {}, evolve: {} }),
      { code: 'invalid-definition', message: /Raise the version/ },
    )
    for (const upcast of [null, { a: 5 }, { a: [5] }])
      t.throws(() => failing(upcast as object), { code: 'invalid-definition' })
  },
)

await t.test(
  'a stored state is migrated by behavior version, without a replay',
  async t => {
    const store = memory()
    const namespace = 'states'
    {
      await using node = await startNode({
        namespace,
        store,
        actors: [first],
        log: false,
      })
      await node.spawn(first, 'x').ask('deposit', 20)
    }
    const from: number[] = []
    const migrating = (
      migrateState: (state: never, from: number) => Account | undefined,
    ) =>
      defineActor({
        type: 'account',
        version: 3,
        migrateState,
        initialState: (): Account => ({ cents: 0, fees: 0, owner: '' }),
        decide: { total: state => ({ reply: state.cents }) },
        evolve: { moneyAdded: (state, _data: unknown) => ({ ...state, cents: -1 }) },
      })
    const reads = async (
      migrate: (state: never, from: number) => Account | undefined,
    ) => {
      await using node = await startNode({
        namespace,
        store,
        actors: [migrating(migrate)],
        log: false,
      })
      return await node.ask(x, 'total')
    }
    const migrated = await reads(({ balance }: { balance: number }, version) => {
      from.push(version)
      return { cents: balance * 100, fees: 0, owner: '' }
    })
    t.match(migrated, { ok: true, reply: 2_000 })
    t.ok(from.length > 0 && from.every(version => version === 1))
    t.match(await reads(() => undefined), { reply: -1 }, 'it was folded again')
    const failing = reads(() => {
      throw new Error('no such field')
    })
    await t.rejects(failing, {
      code: 'actor-parked',
      message:
        /migrateState failed on the state of behavior version 1 at version 1, position 1: no such field/,
    })
  },
)

await t.test(
  'a definition without steps takes no later event for one of its own',
  async t => {
    const handled: unknown[] = []
    const amounts = defineProjection({
      name: 'amounts',
      from: first,
      initial: 0,
      when: { moneyAdded: (sum, { data }) => sum + data.amount },
    })
    await using node = await startNode({
      namespace: 'behind',
      store: memory(),
      actors: [first],
      reactors: [
        defineReactor({
          name: 'listener',
          on: eventsOf(first),
          retry: { attempts: 1 },
          handle: ({ data }) => void handled.push(data.data),
        }),
      ],
      projections: [amounts],
      log: false,
    })
    await node.store.append(x, [
      event('moneyAdded', { amount: 1 }),
      { type: 'moneyAdded', data: { cents: 100 }, schemaVersion: 2 },
    ])
    const refused = /"moneyAdded" has schema version 2, and this definition knows 1/
    await t.rejects(
      async () => {
        for await (const _ of node.spawn(first, 'x').events());
      },
      { code: 'actor-parked', message: refused },
    )
    await until(async () => {
      for await (const { error } of node.deadLetters.list())
        return refused.test(error.message)
      return false
    })
    t.strictSame(handled, [{ amount: 1 }])
    await until(() => {
      const [build] = node.stats().projections['amounts']!.builds
      return refused.test(build?.stuck?.error ?? '')
    })
  },
)

await t.test('an older node leaves later events to the newer one', async t => {
  const store = memory()
  const namespace = 'mixed'
  const start = (id: string, definition: typeof first | typeof later) =>
    startNode({ namespace, store, id, actors: [definition], log: false })
  {
    await using alone = await start('alone', first)
    await alone.ask(x, 'deposit', 20)
  }
  await using old = await start('old', first)
  {
    await using young = await start('young', later)
    // A command that only the newer one knows goes there, and from then on the others do, too.
    await old.ask(x, 'total')
    await young.transact(tx => tx.ask(later, 'x', 'deposit', 100))
    t.match(await old.ask(x, 'deposit', 100), { ok: true, version: 3 })
    t.match(await old.ask(x, 'total'), { reply: { cents: 2_200 } })
  }
  await t.rejects(old.ask(x, 'withdraw', { amount: 1, fee: 0 }), {
    code: 'version-behind',
  })
})

await t.test('a state that is migrated by a promise is none', async t => {
  const store = memory()
  const old = await startNode({ namespace: 'late', store, actors: [first] })
  await old.spawn(first, 'a').ask('deposit', 1)
  await old.close()
  const asynchronous = defineActor({
    type: 'account',
    version: 2,
    initialState: { balance: 0 },
    migrateState: (async (state: { balance: number }) => state) as never,
    decide: { look: state => ({ reply: state.balance }) },
    evolve: { moneyAdded: state => state },
  })
  await using node = await startNode({
    namespace: 'late',
    store,
    actors: [asynchronous],
    log: false,
  })
  await t.rejects(node.spawn(asynchronous, 'a').ask('look'), {
    code: 'actor-parked',
    message: /migrateState failed .* it returned a promise; it must be synchronous/,
  })
})
