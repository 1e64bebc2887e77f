// Type inference: the compiler checks this file, which must compile. Little of it runs.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { type ActorRef, actorRef } from '../../src/actor/ref.js'
import type {
  OutcomeOf,
  RecordedEventOf,
  StateOf,
} from '../../src/actor/definition-types.js'
import type { Rejection } from '../../src/model/behavior.js'
import type { MalformedRecord } from '../../src/model/commit.js'
import type { RecordedEvent } from '../../src/model/event.js'
import type {
  AskOutcome,
  AcceptedOutcome,
  RejectedOutcome,
} from '../../src/model/command-sender.js'
import { node, noKeeper } from './support.js'

// The compiler calls two deferred conditional types identical only if their operands are.
type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

const ledger = defineActor({
  type: 'ledger',
  initialState: { balance: 0 },
  decide: {
    deposit: (state, { amount }: { amount: number }) => ({
      events: [event('deposited', { amount })],
      reply: after => ({ balance: after.balance, before: state.balance }),
    }),
    withdraw(state, { amount }: { amount: number }, context) {
      if (state.balance < amount) return reject('overdraft', 'no', { at: context.now })
      if (amount < 0) return reject('negative')
      return event('withdrew', { amount })
    },
    balance: state => ({ reply: state.balance }),
    note: (_state, text?: string) => ({ reply: text ?? 'none' }),
    nothing() {},
    close: () => [event('closed')],
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      balance: state.balance + amount,
    }),
    withdrew: (state, data: { amount: number }) => ({
      balance: state.balance - data.amount,
    }),
    closed: state => state,
  },
})

type Ledger = typeof ledger
type Commands = NonNullable<Ledger['$types']>['commands']

void t.test('a definition gives its commands their types', async t => {
  same<Equal<StateOf<Ledger>, { balance: number }>>()
  same<Equal<Commands['deposit']['data'], { amount: number }>>()
  same<Equal<Commands['deposit']['reply'], { balance: number; before: number }>>()
  same<Equal<Commands['deposit']['rejection'], never>>()
  same<Equal<Commands['withdraw']['rejection']['code'], 'overdraft' | 'negative'>>()
  same<Equal<Commands['balance']['reply'], number>>()
  same<Equal<Commands['balance']['data'], undefined>>()
  same<Equal<Commands['nothing']['reply'], undefined>>()
  t.strictSame(ledger.behavior.commandTypes, [
    'deposit',
    'withdraw',
    'balance',
    'note',
    'nothing',
    'close',
  ])
})

void t.test('a definition that emits what it does not fold does not compile', async t => {
  const odd = defineActor({
    type: 'odd',
    initialState: () => 0,
    evolve: { added: (state, by: number) => state + by },
    decide: {
      // @ts-expect-error -- no evolve for "subtracted"
      subtract: () => event('subtracted', 1),
      // @ts-expect-error -- "added" carries a number
      addText: () => ({ events: [event('added', 'x')] }),
      add: () => ({ events: [event('added', 1)] }),
    },
  })
  t.equal(odd.type, 'odd')
})

void t.test(
  'handlers without data or without parameters do not break inference',
  async t => {
    const lamp = defineActor({
      type: 'lamp',
      initialState: { isOn: false, turns: 0 },
      decide: {
        turn: (state, _data, { now }) => event(state.isOn ? 'off' : 'on', { now }),
        time: (_state, _data, { now }) => (now > 0 ? { reply: now } : reject('early')),
        dim: (_state, { by }: { by: number }) => event('dimmed', { by }),
        break: () => event('broken', { why: 'it fell' }),
      },
      evolve: {
        on: (state, { now }: { now: number }) => ({
          isOn: now > 0,
          turns: state.turns + 1,
        }),
        off: (state, _data, { version }) => ({ ...state, turns: version }),
        dimmed: state => state,
        broken: () => ({ isOn: false, turns: 0 }),
      },
    })
    type Lamp = NonNullable<(typeof lamp)['$types']>
    same<Equal<Lamp['state'], { isOn: boolean; turns: number }>>()
    same<Equal<Lamp['commands']['turn']['data'], undefined>>()
    same<Equal<Lamp['commands']['turn']['reply'], undefined>>()
    same<Equal<Lamp['commands']['turn']['rejection'], never>>()
    same<Equal<Lamp['commands']['time']['reply'], number>>()
    same<Equal<Lamp['commands']['time']['rejection']['code'], 'early'>>()
    same<Equal<Lamp['commands']['dim']['data'], { by: number }>>()
    same<Equal<Lamp['commands']['break']['data'], undefined>>()

    const vague = defineActor({
      type: 'vague',
      initialState: 0,
      // @ts-expect-error -- data that is used needs a type
      decide: { add: (_state, data) => event('added', data.amount) },
      // @ts-expect-error -- here too
      evolve: { added: (state, data) => state + data.amount },
    })
    t.strictSame([lamp.type, vague.type], ['lamp', 'vague'])
  },
)

interface BoxState {
  readonly count: number
  readonly last: object | null
}
// The handlers may say more of the state than its first value does.
const box = defineActor({
  type: 'box',
  initialState: { count: 0, last: null },
  decide: { put: (_state: BoxState, data: object) => event('put', data) },
  evolve: { put: ({ count }: BoxState, last: object) => ({ count: count + 1, last }) },
})
box.behavior.initialState('a') satisfies BoxState

// An outcome has a rejection only if the command can be rejected.
type Overdraft = Rejection<'overdraft', { at: number }>
type Negative = Rejection<'negative', undefined>
same<
  Equal<
    OutcomeOf<Ledger, 'deposit'>,
    AcceptedOutcome<{ balance: number; before: number }>
  >
>()
same<
  Equal<
    OutcomeOf<Ledger, 'withdraw'>,
    AcceptedOutcome<undefined> | RejectedOutcome<Overdraft | Negative>
  >
>()
same<Equal<AskOutcome, AcceptedOutcome | RejectedOutcome>>()

// Events are distinguished by their type; where an evolve ignores the data, decide determines its type.
same<
  Equal<
    RecordedEventOf<Ledger>,
    | RecordedEvent<'deposited', { amount: number }>
    | RecordedEvent<'withdrew', { amount: number }>
    | RecordedEvent<'closed', undefined>
  >
>()

void t.test('a reference has the types of its definition', async t => {
  const { host, store } = node({ actors: [ledger] })
  t.teardown(() => host.close())
  const ref = actorRef(ledger, 'alice', { sender: host, durableSender: noKeeper, store })
  same<Equal<typeof ref, ActorRef<Ledger>>>()

  const outcome = await ref.ask('deposit', { amount: 5 })
  same<Equal<typeof outcome.reply, { balance: number; before: number }>>()
  t.strictSame(outcome.reply, { balance: 5, before: 0 })

  const withdrawn = await ref.ask('withdraw', { amount: 50 })
  if (withdrawn.ok) {
    same<Equal<typeof withdrawn.reply, undefined>>()
    t.fail('there is not that much')
  } else if (withdrawn.rejection.code === 'overdraft')
    same<Equal<typeof withdrawn.rejection.details, { at: number }>>()

  // Data is optional exactly if the command has none.
  t.equal((await ref.ask('balance')).reply, 5)
  t.equal((await ref.ask('balance', undefined, { timeout: 1000 })).reply, 5)
  t.equal((await ref.ask('note')).reply, 'none')
  t.equal((await ref.ask('note', 'here')).reply, 'here')

  const misuse = () => [
    // @ts-expect-error -- deposit needs its data
    ref.ask('deposit'),
    // @ts-expect-error -- of the right shape
    ref.ask('deposit', { amount: '5' }),
    // @ts-expect-error -- there is no such command
    ref.ask('borrow', { amount: 5 }),
    // @ts-expect-error -- balance takes no data
    ref.tell('balance', 5),
  ]
  t.type(misuse, 'function')

  const { state } = await ref.state()
  same<Equal<typeof state, { balance: number }>>()

  for await (const item of ref.events()) {
    same<Equal<typeof item, RecordedEventOf<Ledger> | MalformedRecord>>()
    if (item.kind === 'event' && item.type === 'deposited') {
      same<Equal<typeof item.data, { amount: number }>>()
      t.equal(item.data.amount, 5)
    }
  }
})
