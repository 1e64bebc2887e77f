// Specifications: what they accept, and how they fail.

import { AssertionError } from 'node:assert'
import t from 'tap'

import { defineActor, event, type RefusedCommand, reject } from '../../src/index.js'
import { given } from '../../src/testing/index.js'

const account = defineActor({
  type: 'account',
  initialState: (id: string) => ({ balance: 0, owner: id }),
  decide: {
    deposit: (_state, { amount }: { amount: number }) => ({
      events: event('deposited', { amount }),
      reply: after => after.balance,
    }),
    withdraw(state, { amount }: { amount: number }) {
      if (state.balance < amount)
        return reject('overdraft', `The balance is ${state.balance}.`, {
          balance: state.balance,
        })
      if (amount === 13) return reject('unlucky')
      return event('withdrawn', { amount })
    },
    split: (_state, amounts: number[]) =>
      amounts.map(amount => event('deposited', { amount })),
    close: (_state, _data: undefined, { now, commandId }) =>
      event('closed', { now, by: commandId }, { reason: 'asked' }),
    balance: state => ({ reply: state.balance }),
    explode() {
      if (Date.now() > 0) throw new Error('the fuse was lit')
    },
    hide: () => event('deposited', { amount: 1, by: new Map() }),
    spoil: () => event('spoiled'),
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      ...state,
      balance: state.balance + amount,
    }),
    withdrawn: (state, { amount }: { amount: number }) => ({
      ...state,
      balance: state.balance - amount,
    }),
    closed: (state, _data: { now: number; by: string }) => state,
    spoiled(): { balance: number; owner: string } {
      throw new Error('this milk is sour')
    },
  },
})

const five = [event('deposited', { amount: 5 })]

/** The message of the assertion that `work` fails with. */
function failureOf(work: () => unknown): AssertionError {
  try {
    work()
  } catch (error) {
    if (error instanceof AssertionError) return error
    throw error
  }
  throw new Error('nothing failed')
}

void t.test('what holds is said without a word, one thing after another', async t => {
  given(account)
    .when('deposit', { amount: 10 })
    .thenEvents(event('deposited', { amount: 10 }))
  given(account, five)
    .when('deposit', { amount: 10 })
    .thenEvents(event('deposited', { amount: 10 }))
    .thenReply(15)
    .thenState({ balance: 15, owner: 'example' })
  given(account, five).when('withdraw', { amount: 9 }).thenRejected('overdraft')
  given(account, five)
    .when('withdraw', { amount: 9 })
    .thenRejected('overdraft', { balance: 5 })
    .thenState({ balance: 5, owner: 'example' })
  given(account, five).when('balance').thenEvents().thenReply(5)
  given(account)
    .when('split', [1, 2])
    .thenEvents(event('deposited', { amount: 1 }), event('deposited', { amount: 2 }))
  given(account)
    .when('explode')
    .thenThrows('decide-failed')
    .thenThrows(/the fuse was lit/)
  given(account)
    .when('hide')
    .thenThrows('invalid-data')
    .thenThrows(/by is an instance of Map/)
  given(account).when('spoil').thenThrows('actor-parked')
  given(account, [event('spoiled')])
    .when('balance')
    .thenThrows(/this milk is sour/)
  t.pass('nothing was thrown')
})

void t.test(
  'the actor, the moment and the command id are as the options say',
  async t => {
    const outcome = given(account, five, { id: 'alice', now: 1234, commandId: 'c' })
      .when('close')
      .thenEvents(event('closed', { now: 1234, by: 'c' }, { reason: 'asked' }))
      .result()
    t.match(outcome, { ok: true, version: 2, state: { balance: 5, owner: 'alice' } })
  },
)

void t.test(
  'the outcome can be looked at, and throws what the command threw',
  async t => {
    t.strictSame(given(account, five).when('withdraw', { amount: 9 }).result(), {
      ok: false,
      version: 1,
      state: { balance: 5, owner: 'example' },
      rejection: {
        code: 'overdraft',
        message: 'The balance is 5.',
        details: { balance: 5 },
      },
    })
    t.throws(() => given(account).when('explode').result(), { code: 'decide-failed' })
  },
)

void t.test('other events than expected are shown side by side', async t => {
  const failure = failureOf(() =>
    given(account, five)
      .when('split', [1, 2, 4])
      .thenEvents(
        event('deposited', { amount: 1 }),
        event('deposited', { amount: 3 }),
        event('deposited', { amount: 4 }),
      ),
  )
  t.equal(
    failure.message,
    `account/example at version 1, when split [ 1, 2, 4 ]: other events

- expected
+ actual

  deposited { amount: 1 }
- deposited { amount: 3 }
+ deposited { amount: 2 }
  deposited { amount: 4 }
`,
  )
  t.equal(failure.code, 'ERR_ASSERTION')
  t.match(failure, { actual: { length: 3 }, expected: { length: 3 } })
  t.match(failure.stack, /at .*given\.test\.[jt]s/, 'it points to the specification')
})

void t.test('metadata is part of an event', async t => {
  const failure = failureOf(() =>
    given(account)
      .when('close')
      .thenEvents(event('closed', { now: 0, by: 'command-1' })),
  )
  t.match(failure.message, "+ closed { by: 'command-1', now: 0 } with metadata { reason")
})

void t.test('every way to be wrong says what was expected and what came', async t => {
  const withdrawal = () => given(account, five).when('withdraw', { amount: 9 })
  const wrong: [() => unknown, string, string][] = [
    [
      () => withdrawal().thenEvents(event('withdrawn', { amount: 9 })),
      '- withdrawn { amount: 9 }',
      '+ rejected: overdraft { balance: 5 } (The balance is 5.)',
    ],
    [
      () => withdrawal().thenRejected('unlucky'),
      '- rejected: unlucky',
      '+ rejected: overdraft',
    ],
    [
      () => withdrawal().thenRejected('overdraft', { balance: 6 }),
      '- rejected: overdraft { balance: 6 }',
      '+ rejected: overdraft { balance: 5 }',
    ],
    [
      () => given(account).when('split', []).thenEvents(five[0]!),
      '- deposited { amount: 5 }',
      '+ no events',
    ],
    [
      () => given(account).when('deposit', { amount: 1 }).thenEvents(),
      '- no events',
      '+ deposited { amount: 1 }',
    ],
    [
      () => given(account).when('withdraw', { amount: 0 }).thenRejected('unlucky'),
      '- rejected: unlucky',
      '+ withdrawn { amount: 0 }',
    ],
    [() => given(account, five).when('balance').thenReply(6), '- 6', '+ 5'],
    [() => withdrawal().thenReply(undefined), '- undefined', '+ rejected: overdraft'],
    [
      () => withdrawal().thenState({ balance: 5, owner: 'bob' }),
      "owner: 'bob'",
      "owner: 'example'",
    ],
    [
      () => given(account).when('explode').thenState({ balance: 0, owner: 'example' }),
      "- { balance: 0, owner: 'example' }",
      '+ threw: decide-failed:',
    ],
    [
      () => given(account).when('balance').thenThrows('aborted'),
      '- threw: aborted',
      '+ no events',
    ],
    [
      () =>
        given(account)
          .when('explode')
          .thenThrows(/the ice was thin/),
      '- threw: /the ice was thin/',
      'the fuse was lit',
    ],
  ]
  for (const [work, expected, actual] of wrong) {
    const { message } = failureOf(work)
    t.ok(message.includes(expected), `${message} has ${expected}`)
    t.ok(message.includes(actual), `${message} has ${actual}`)
  }
})

void t.test('the cause of a surprising error comes with the failure', async t => {
  const failure = failureOf(() => given(account).when('explode').thenEvents())
  t.match(failure.cause, {
    code: 'decide-failed',
    cause: { message: 'the fuse was lit' },
  })
})

void t.test('what does not fit the definition does not compile', async t => {
  // @ts-expect-error there is no such command
  given(account).when('borrow').thenThrows('unknown-command')
  // @ts-expect-error a command without its data
  given(account).when('deposit').thenThrows('decide-failed')
  // @ts-expect-error an event that evolve does not fold
  given(account, [event('lost')])
    .when('balance')
    .thenThrows('actor-parked')
  t.throws(() =>
    // @ts-expect-error a code that this command is not refused with
    given(account, five).when('withdraw', { amount: 9 }).thenRejected('closed'),
  )
  t.throws(() =>
    // @ts-expect-error a reply of another type
    given(account).when('balance').thenReply('5'),
  )
})

void t.test('what a decision draws can be given', async t => {
  const lottery = defineActor({
    type: 'lottery',
    initialState: 0,
    decide: {
      draw: (_state, _data, { uuid, random }) =>
        event('drawn', [uuid(), uuid(), random(), random()]),
    },
    evolve: { drawn: (state, _drawn: (string | number)[]) => state + 1 },
  })
  const drawn = (options = {}) =>
    given(lottery, [], options).when('draw').result().events[0]!.data
  const own = drawn()
  t.strictSame(drawn({ uuids: ['a', 'b'], randoms: [0.5, 0] }), ['a', 'b', 0.5, 0])
  t.match(drawn({ uuids: ['a'], randoms: [0.5] }), ['a', own[0], 0.5, Number])
  t.strictSame(drawn(), own)
  for (const wrong of [
    { uuids: 'a' },
    { uuids: [1] },
    { randoms: [1] },
    { randoms: [NaN] },
  ])
    t.throws(() => drawn(wrong), { code: 'invalid-option' })
})

void t.test('who asks, and in which correlation, can be given', async t => {
  const door = defineActor({
    type: 'door',
    initialState: 0,
    decide: {
      open: (_state, _data, { principal, correlationId }) =>
        principal === 'alice'
          ? event('opened', `${principal} ${correlationId}`)
          : reject('not-alice', `${principal} is not alice.`),
    },
    evolve: { opened: (count, _by: string) => count + 1 },
  })
  given(door, [], { principal: 'alice', correlationId: 'c-1' })
    .when('open')
    .thenEvents(event('opened', 'alice c-1'))
  given(door, [], { principal: 'bob' }).when('open').thenRejected('not-alice')
  given(door).when('open').thenRejected('not-alice')
  for (const wrong of [{ principal: '' }, { principal: 7 }, { correlationId: 'a\nb' }])
    t.throws(() => given(door, [], wrong as object), { code: 'invalid-option' })
})

void t.test('the outcome of a command that is never rejected is accepted', async t => {
  // No check of ok is needed.
  const { events, reply } = given(account).when('deposit', { amount: 1 }).result()
  t.strictSame([events.length, reply], [1, 1])
  const outcome = given(account).when('withdraw', { amount: 1 }).result()
  // @ts-expect-error this one may be rejected
  t.equal(outcome.reply, undefined)
})

void t.test(
  'the data of an answer need not say that a rejection has no details',
  async t => {
    const rejected: RefusedCommand<typeof account, 'withdraw'> = {
      actor: { type: 'account', id: 'a' },
      command: 'withdraw',
      data: { amount: 13 },
      rejection: { code: 'unlucky', message: 'unlucky' },
    }
    t.equal(rejected.rejection.code, 'unlucky')
    // @ts-expect-error this one has details
    rejected.rejection satisfies { code: 'overdraft' }
  },
)
