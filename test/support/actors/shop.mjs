// @ts-nocheck An application in plain JavaScript, without types.
// What the console is shown with: accounts, trips as a statechart, a reactor that fails at first, and a projection.
//
// `POISON=1` makes evolve fail on the event `imported`, and the reactor fail; a node without it is the mended one.

import { setup } from 'xstate'
import { z } from 'zod'

import {
  defineActor,
  defineProjection,
  defineReactor,
  defineTopic,
  event,
  publish,
  reject,
  schedule,
  send,
} from '../../../dist/index.js'
import { fromMachine } from '../../../dist/doors/xstate.js'

const isBroken = process.env['POISON'] === '1'

const ordered = defineTopic('ordered')

export const account = defineActor({
  type: 'account',
  schemas: {
    commands: {
      withdraw: z.object({ amount: z.number().positive(), note: z.string().optional() }),
    },
  },
  initialState: { balance: 0, owner: null },
  decide: {
    deposit: (_state, { amount }) => event('deposited', { amount }),
    withdraw: (state, { amount }) =>
      state.balance < amount
        ? reject('overdrawn', `The balance is ${state.balance}.`)
        : event('withdrawn', { amount }),
    import: (_state, data) => event('imported', data),
    transfer: (_state, { to, amount }) => [
      event('withdrawn', { amount }),
      send({ type: 'account', id: to }, 'deposit', { amount }),
    ],
    remind: (_state, { after }) => [
      event('reminded', { after }),
      schedule('interest', { after }, 'deposit', { amount: 1 }),
    ],
  },
  evolve: {
    deposited: (state, { amount }) => ({ ...state, balance: state.balance + amount }),
    withdrawn: (state, { amount }) => ({ ...state, balance: state.balance - amount }),
    imported(state, { owner }) {
      if (isBroken && owner === null) throw new TypeError('owner is null')
      return { ...state, owner }
    },
    reminded: state => state,
  },
})

export const order = defineActor({
  type: 'order',
  initialState: { lines: 0 },
  publishes: [ordered],
  decide: {
    place: (_state, { item }) => [event('placed', { item }), publish(ordered, { item })],
  },
  evolve: { placed: state => ({ lines: state.lines + 1 }) },
})

export const shipping = defineReactor({
  name: 'shipping',
  on: ordered,
  retry: { attempts: 1 },
  handle({ data }) {
    if (isBroken) throw new RangeError(`no carrier for ${data.item}`)
  },
})

export const balances = defineProjection({
  name: 'balances',
  from: account,
  initial: { balance: 0 },
  when: {
    deposited: ({ balance }, { data }) => ({ balance: balance + data.amount }),
    withdrawn: ({ balance }, { data }) => ({ balance: balance - data.amount }),
  },
})

export const ride = fromMachine(
  setup({}).createMachine({
    id: 'ride',
    initial: 'requested',
    states: {
      requested: { on: { assign: 'assigned', cancel: 'cancelled' } },
      assigned: { on: { arrive: 'waiting', cancel: 'cancelled' } },
      waiting: { on: { board: 'riding' }, after: { 900_000: 'cancelled' } },
      riding: {
        initial: 'moving',
        states: {
          moving: { on: { stop: 'stopped' } },
          stopped: { on: { go: 'moving' } },
        },
        on: { arrive: 'paid' },
      },
      paid: { type: 'final' },
      cancelled: { type: 'final' },
    },
  }),
)
