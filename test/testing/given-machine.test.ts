// Specifications of machines.

import t from 'tap'
import { assign, emit, fromPromise, sendTo, setup } from 'xstate'

import {
  actorAt,
  defineActor,
  defineTopic,
  event,
  fromMachine,
  publish,
  send,
} from '../../src/index.js'
import { given } from '../../src/testing/index.js'

const paid = defineTopic('paid', {
  schema: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value => ({ value: value as { cents: number } }),
    },
  },
})
const ledger = defineActor({
  type: 'ledger',
  initialState: 0,
  decide: { add: (_state, { cents }: { cents: number }) => event('added', cents) },
  evolve: { added: (state, cents: number) => state + cents },
})

const machine = setup({
  types: {
    context: {} as { cents: number; notes: readonly string[] },
    input: {} as { cents: number },
    events: {} as { type: 'pay' } | { type: 'note'; text: string },
    emitted: {} as { type: 'paid'; cents: number },
  },
  actors: { print: fromPromise(async () => 'printed') },
  delays: { deadline: 900_000 },
}).createMachine({
  id: 'order',
  context: ({ input }) => ({ cents: input.cents, notes: [] }),
  initial: 'open',
  on: {
    note: {
      actions: assign({ notes: ({ context, event }) => [...context.notes, event.text] }),
    },
  },
  states: {
    open: {
      initial: 'waiting',
      states: { waiting: {} },
      on: {
        pay: {
          target: 'paid',
          actions: [
            emit(({ context }) => ({ type: 'paid' as const, cents: context.cents })),
            sendTo(actorAt(ledger, 'main'), ({ context }) => ({
              type: 'add',
              cents: context.cents,
            })),
          ],
        },
      },
      after: { deadline: 'expired' },
    },
    paid: { invoke: { src: 'print', onDone: 'done' } },
    done: { type: 'final' },
    expired: { type: 'final' },
  },
})

for (const version of [1, 3])
  void t.test(
    `version ${version}: a machine with input is specified like any actor`,
    async t => {
      const order = fromMachine(machine, { version, emits: { paid } })
      const open = given(order, [], { input: { cents: 7 } })
      open
        .when('pay')
        .thenEvents(
          event('pay'),
          publish(paid, { cents: 7 }),
          send(ledger, 'main', 'add', { cents: 7 }),
        )
        .thenStateMatches({
          value: 'paid',
          children: { '0.order.paid': { src: 'print' } },
        })
      open
        .when('note', { text: 'hurry' })
        .thenEvents(event('note', { text: 'hurry' }))
        .thenStateMatches({ value: 'open', context: { notes: ['hurry'] } })
        .thenStateMatches({ value: { open: 'waiting' }, status: 'active' })
      given(order, [event('pay')], { input: { cents: 7 } })
        .when('pay')
        .thenRejected('rejected')
        .thenStateMatches({ value: 'paid' })
      given(order)
        .when('xstate.init', { cents: 1 })
        .thenEvents(event('xstate.init', { input: { cents: 1 } }))
        .thenStateMatches({
          timers: { 'xstate.after.deadline.order.open': { at: 900_000 } },
        })
      t.throws(
        () => open.when('pay').thenStateMatches({ value: 'open' }),
        /another state/,
      )
      t.throws(
        () => open.when('pay').thenEvents(event('pay')).thenStateMatches({}),
        /are not named/,
      )
    },
  )

void t.test('a timer of a machine falls due', async t => {
  const order = fromMachine(machine, { emits: { paid }, late: 'skip' })
  const open = given(order, [], { input: { cents: 7 } })
  const deadline = 'xstate.after.deadline.order.open'
  const { version } = open
    .whenDue(deadline)
    .thenOutbox()
    .thenStateMatches({ value: 'expired' })
    .result()
  t.equal(version, 2)
  given(order, [], { input: { cents: 7 }, now: 5 })
    .when('note', { text: 'x' })
    .thenStateMatches({ timers: { [deadline]: { at: 900_005 } } })
  t.throws(() => open.whenDue('unpaid'), {
    code: 'invalid-option',
    message: `order/example does not wait for 'unpaid'; it waits for ${deadline}.`,
  })
  t.throws(() => given(ledger).whenDue('unpaid'), { code: 'invalid-option' })
})

void t.test('an input is for machines that have not begun', async t => {
  const order = fromMachine(machine, { emits: { paid } })
  const begun = [event('xstate.init', { input: { cents: 1 } })]
  t.throws(() => given(order, begun, { input: { cents: 2 } }), { code: 'invalid-option' })
  // @ts-expect-error only machines have an input
  t.throws(() => given(ledger, [], { input: 1 }), { code: 'invalid-option' })
  // @ts-expect-error an input of another type
  t.throws(() => given(order, [], { input: { cents: 'x' }, ids: 1 }), {
    code: 'invalid-option',
  })
  // @ts-expect-error it is started with an input
  given(order, [], { input: {} })
})
