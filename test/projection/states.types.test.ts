// The types of projections of states and of machines' events: the compiler checks this file. Little of it runs.

import t from 'tap'
import { fromPromise, setup } from 'xstate'

import {
  defineActor,
  defineProjection,
  event,
  fromMachine,
  type Projection,
  statesOf,
} from '../../src/index.js'

type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

const account = defineActor({
  type: 'account',
  initialState: { balance: 0, owner: undefined as string | undefined },
  decide: { deposit: (_state, amount: number) => event('deposited', amount) },
  evolve: {
    deposited: (state, amount: number) => ({ ...state, balance: state.balance + amount }),
  },
})

const order = fromMachine(
  setup({
    types: { context: {} as { cents: number }, events: {} as { type: 'pay' } },
    actors: { charge: fromPromise<{ receipt: string }>(async () => ({ receipt: 'r' })) },
  }).createMachine({
    id: 'order',
    context: { cents: 1 },
    initial: 'open',
    states: {
      open: { on: { pay: 'paid' } },
      paid: { invoke: { id: 'pay', src: 'charge' } },
    },
  }),
)

void t.test('rows are inferred', async t => {
  const balances = defineProjection({
    name: 'balances',
    from: statesOf(account),
    row: ({ state, actor, version, at }) =>
      state.owner === undefined
        ? null
        : { balance: state.balance, id: actor.id, version, at },
  })
  same<
    Equal<
      typeof balances,
      Projection<{ balance: number; id: string; version: number; at: number }>
    >
  >()
  const orders = defineProjection({
    name: 'orders',
    from: statesOf(order),
    key: ({ type, id }) => `${type}:${id}`,
    row: ({ state }) => ({ status: state.value, cents: state.context.cents }),
  })
  same<Equal<typeof orders, Projection<{ status: 'open' | 'paid'; cents: number }>>>()
  const both = defineProjection({
    name: 'both',
    from: statesOf(account, order),
    row: ({ state }) =>
      'balance' in state ? { n: state.balance } : { n: state.context.cents },
  })
  same<Equal<typeof both, Projection<{ n: number }>>>()
  t.equal(both.types.length, 2)
})

const declared = fromMachine(
  setup({
    types: {
      children: {} as { payment: 'charge'; log: 'write' },
      events: {} as { type: 'go' },
    },
    actors: {
      charge: fromPromise<{ receipt: string }>(async () => ({ receipt: 'r' })),
      write: fromPromise<number>(async () => 1),
    },
  }).createMachine({
    id: 'declared',
    invoke: [
      { id: 'payment', src: 'charge' },
      { id: 'log', src: 'write' },
    ],
  }),
)

void t.test('events of machines have their types', async t => {
  const payments = defineProjection({
    name: 'payments',
    from: order,
    initial: { receipts: [] as string[], errors: 0 },
    when: {
      pay: row => row,
      'xstate.done.actor.pay': (row, { data }) => ({
        ...row,
        receipts: [...row.receipts, data.output.receipt],
      }),
      'xstate.error.actor.pay': (row, { data: { key, error } }) =>
        error === key ? row : { ...row, errors: row.errors + 1 },
      'xstate.after.1000.order.open': row => row,
      'xstate.timer': (row, { data }) => (data.does === 'skip' ? row : null),
    },
  })
  t.equal(payments.events?.length, 5)
  defineProjection({
    name: 'declared',
    from: declared,
    initial: { receipt: '', lines: 0 },
    when: {
      'xstate.done.actor.payment': (row, { data }) => ({
        ...row,
        receipt: data.output.receipt,
      }),
      'xstate.done.actor.log': (row, { data }) => ({
        ...row,
        lines: data.output + row.lines,
      }),
    },
  })
})

void t.test('a function that makes the first row gives the rows their type', async t => {
  interface Row {
    readonly id: string
    readonly sum: number
  }
  const sums = defineProjection({
    name: 'sums',
    from: account,
    initial: (key): Row => ({ id: key.trim(), sum: 0 }),
    when: { deposited: (row, { data }) => ({ ...row, sum: row.sum + data }) },
  })
  same<Equal<typeof sums, Projection<Row>>>()
  const numbers = defineProjection({
    name: 'numbers',
    from: [account],
    initial: 0,
    when: { deposited: (row, { data }) => row + data },
  })
  same<Equal<typeof numbers, Projection<number>>>()
  t.strictSame([...sums.types, ...numbers.types], ['account', 'account'])
})

// What does not fit does not compile.
void (() => {
  // @ts-expect-error events are folded onto a first row
  defineProjection({ name: 'x', from: account, when: {} })
  defineProjection({
    name: 'x',
    from: order,
    initial: { n: 0 },
    when: {
      // @ts-expect-error the output has no such field
      'xstate.done.actor.pay': (_row, { data }) => ({ n: data.output.cents }),
      // @ts-expect-error there is no such event
      payed: row => row,
    },
  })
  defineProjection({
    name: 'x',
    from: statesOf(account),
    // @ts-expect-error the state has no such field
    row: ({ state }) => ({ sum: state.sum }),
  })
  defineProjection({
    name: 'x',
    from: statesOf(account),
    row: ({ state }) => {
      // @ts-expect-error a state cannot be changed
      state.balance = 1
      return { n: 1 }
    },
  })
  // @ts-expect-error a row is made of each state
  defineProjection({ name: 'x', from: statesOf(account) })
  defineProjection({
    name: 'x',
    from: statesOf(account),
    // @ts-expect-error states are not folded
    initial: { n: 0 },
    row: () => ({ n: 0 }),
  })
  // @ts-expect-error only definitions have states
  statesOf('account')
})
