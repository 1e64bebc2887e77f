// Delays of machines: timers that are set, set anew and cancelled by commits, keep their moment
// whoever owns the actor, and act once.

import t from 'tap'
import {
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  emit,
  raise,
  sendTo,
  setup,
} from 'xstate'

import { memory } from '../../src/backend/memory.js'
import { actorAt } from '../../src/machine/actor-at.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { MachineOptions } from '../../src/machine/types.js'
import type { RedeliveryOptions } from '../../src/model/command-sender.js'
import type { Timer } from '../../src/model/timer.js'
import { defineTopic } from '../../src/model/topic.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode } from '../../src/runtime/start-node.js'
import { ManualClock } from '../../src/testing/manual-clock.js'
import { node as hostOf } from '../actor/support.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'
import { account } from './machines.js'

const patience = { timeout: 60_000 }
const hour = 3_600_000

interface Seen {
  readonly type: string
  readonly at: number
  readonly data: unknown
}

async function eventsOf(node: Node, type: string, id: string): Promise<Seen[]> {
  const events: Seen[] = []
  for await (const event of node.store.read({ type, id }))
    if (event.kind === 'event') events.push(event)
  return events
}

async function typesOf(node: Node, type: string, id: string): Promise<string[]> {
  return (await eventsOf(node, type, id)).map(event => event.type)
}

async function pending(node: Node, type: string, id: string): Promise<Timer[]> {
  const timers: Timer[] = []
  for await (const timer of node.timers({ actor: { type, id } })) timers.push(timer)
  return timers
}

/** An order that has to be paid in time. */
const orderOf = (ms: number, options: { late?: 'fire' | 'skip' | 'restart' } = {}) =>
  fromMachine(
    setup({
      types: {
        context: {} as { reminders: number },
        events: {} as { type: 'place' | 'pay' | 'hurry' },
      },
      delays: { unpaid: ms },
    }).createMachine({
      id: 'order',
      context: { reminders: 0 },
      initial: 'open',
      states: {
        open: { on: { place: 'placed' } },
        placed: {
          after: { unpaid: 'expired' },
          on: { pay: 'paid', hurry: { target: 'placed', reenter: true } },
        },
        paid: {},
        expired: { type: 'final' },
      },
    }),
    options as MachineOptions<never>,
  )
const unpaid = 'xstate.after.unpaid.order.placed'

await onEachBackend(
  t,
  'xstate 5331: a delay that was running when its node ended fires on the next, at its own moment',
  async (t, scene) => {
    const { start } = scene(t)
    const order = orderOf(1_000)
    const first = await start({ actors: [order] })
    await first.spawn(order, 'a').ask('place')
    const { state } = await first.spawn(order, 'a').state()
    const { at } = state.timers![unpaid]!
    t.strictSame(state.timers, { [unpaid]: { at, delay: 1_000 } })
    const [, placed] = await eventsOf(first, 'order', 'a')
    t.equal(at, placed!.at + 1_000)
    await until(async () => (await pending(first, 'order', 'a')).length === 1, {
      ...patience,
      describe: 'the timer waits beside the log',
    })
    await first.close()
    const next = await start({ actors: [order] })
    const restored = await next.spawn(order, 'a').state()
    if (restored.version === 2) t.strictSame(restored.state.timers, state.timers)
    await until(async () => next.spawn(order, 'a').matches('expired'), {
      ...patience,
      describe: 'it fires, with nobody asking',
    })
    const events = await eventsOf(next, 'order', 'a')
    t.strictSame(
      events.map(({ type }) => type),
      ['xstate.init', 'place', unpaid],
      'once',
    )
    t.match(events[2], { metadata: { timer: unpaid } })
    t.strictSame(await pending(next, 'order', 'a'), [])
    t.equal((await next.spawn(order, 'a').state()).state.timers, undefined)
  },
)

await onEachBackend(
  t,
  'a delay ends with its state, and begins anew with it',
  async (t, scene) => {
    const { start } = scene(t)
    const order = orderOf(hour)
    const node = await start({ actors: [order] })
    const a = node.spawn(order, 'a')
    await a.ask('place')
    const [{ at } = { at: 0 }] = Object.values((await a.state()).state.timers ?? {})
    await until(async () => (await pending(node, 'order', 'a')).length === 1, patience)
    await until(async () => {
      await a.ask('hurry')
      const [anew] = Object.values((await a.state()).state.timers ?? {})
      return anew!.at > at
    }, patience)
    const { timers } = (await a.state()).state
    await until(
      async () => (await pending(node, 'order', 'a'))[0]?.at === timers![unpaid]!.at,
      { ...patience, describe: 'reentered: set anew' },
    )
    await a.ask('pay')
    t.equal((await a.state()).state.timers, undefined)
    await until(async () => (await pending(node, 'order', 'a')).length === 0, {
      ...patience,
      describe: 'cancelled',
    })
  },
)

await t.test('a transaction sets and cancels, too', async t => {
  const order = orderOf(hour)
  await using node = await startNode({ namespace: 'm', store: memory(), actors: [order] })
  const done = await node.transact(async tx => {
    for (const id of ['a', 'b']) await tx.ask(order, id, 'place')
    await tx.ask(order, 'a', 'pay')
  })
  t.equal(done.ok, true)
  await until(async () => (await pending(node, 'order', 'b')).length === 1, patience)
  const { state } = await node.spawn(order, 'b').state()
  t.equal((await pending(node, 'order', 'b'))[0]?.at, state.timers?.[unpaid]?.at)
  t.equal((await node.spawn(order, 'a').state()).state.timers, undefined)
  await until(async () => (await pending(node, 'order', 'a')).length === 0, patience)
})

const noted = defineTopic('notes')

/** Everything else that can be put off. */
const agenda = fromMachine(
  setup({
    types: {
      context: {} as { heard: string[] },
      events: {} as
        | { type: 'plan' | 'forget' | 'close' | 'bill' | 'deaf' }
        | { type: 'note'; text: string }
        | { type: 'unheard' },
      emitted: {} as { type: 'noted'; text: string },
    },
  }).createMachine({
    id: 'agenda',
    context: { heard: [] },
    initial: 'open',
    states: {
      open: {
        on: {
          plan: {
            actions: [
              raise({ type: 'note', text: 'one' }, { delay: 20, id: 'one' }),
              raise({ type: 'note', text: 'two' }, { delay: 10 }),
              sendTo(({ self }) => self, { type: 'note', text: 'three' }, { delay: 30 }),
              raise({ type: 'note', text: 'never' }, { delay: 3_600_000, id: 'never' }),
            ],
          },
          forget: { actions: cancel('never') },
          bill: {
            actions: sendTo(
              () => actorAt(account, 'rita'),
              { type: 'charge', amount: 3 },
              { delay: 10, id: 'bill' },
            ),
          },
          note: {
            actions: [
              assign({ heard: ({ context, event }) => [...context.heard, event.text] }),
              emit(({ event }) => ({ type: 'noted', text: event.text })),
            ],
          },
          deaf: { actions: raise({ type: 'unheard' }, { delay: 5, id: 'deaf' }) },
          unheard: { guard: () => false, target: 'over' },
          close: 'over',
        },
      },
      over: { type: 'final' },
    },
  }),
  { emits: { noted } },
)

await onEachBackend(
  t,
  'raise, sendTo and cancel: what is put off comes, in its order, unless it is taken back',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({ actors: [agenda, account] })
    const a = node.spawn(agenda, 'a')
    await a.ask('plan')
    const { timers = {} } = (await a.state()).state
    t.strictSame(Object.keys(timers).length <= 4, true)
    await until(async () => (await a.state()).state.context.heard.length === 3, {
      ...patience,
      describe: 'three have come',
    })
    t.strictSame((await a.state()).state.context.heard.toSorted(), [
      'one',
      'three',
      'two',
    ])
    t.strictSame(Object.keys((await a.state()).state.timers!), ['never'])
    await a.ask('forget')
    t.equal((await a.state()).state.timers, undefined)

    await a.ask('bill')
    const rita = node.spawn(account, 'rita')
    await until(async () => (await rita.state()).version === 1, {
      ...patience,
      describe: 'sent to another actor',
    })
    t.strictSame((await rita.state()).state, { balance: -3 })
    t.strictSame(
      (await eventsOf(node, 'agenda', 'a')).at(-1)?.data,
      { name: 'bill', does: 'send' },
      'which is an event of its own',
    )

    await a.ask('deaf')
    await until(
      async () => (await typesOf(node, 'agenda', 'a')).at(-1) === 'xstate.timer',
      { ...patience, describe: 'what no transition takes is over, too' },
    )
    t.strictSame((await eventsOf(node, 'agenda', 'a')).at(-1)?.data, {
      name: 'deaf',
      does: 'pass',
    })
    await a.ask('plan')
    await a.ask('close')
    t.equal(
      (await a.state()).state.timers,
      undefined,
      'one that is done waits for nothing',
    )
    await until(async () => (await pending(node, 'agenda', 'a')).length === 0, patience)
    const { state, version } = await a.state()
    const replayed = await node.state({ type: 'agenda', id: 'a' }, { version })
    t.strictSame(replayed.state, state)
    t.equal(node.stats().timers.rejected, 0)
  },
)

await onEachBackend(
  t,
  'xstate 4627: a loop of delays, always and reenter goes on where it was restored, to its end',
  async (t, scene) => {
    const { start } = scene(t)
    const poll = fromMachine(
      setup({
        types: {
          context: {} as { rounds: number },
          events: {} as { type: 'begin' },
        },
        guards: { enough: ({ context }) => context.rounds >= 4 },
      }).createMachine({
        id: 'poll',
        context: { rounds: 0 },
        initial: 'idle',
        states: {
          idle: { on: { begin: 'polling' } },
          polling: {
            entry: assign({ rounds: ({ context }) => context.rounds + 1 }),
            always: { guard: 'enough', target: 'done' },
            after: { 60: { target: 'polling', reenter: true } },
          },
          done: { type: 'final' },
        },
      }),
    )
    let node = await start({ actors: [poll] })
    await node.spawn(poll, 'p').ask('begin')
    for (const rounds of [2, 3]) {
      await until(
        async () => (await node.spawn(poll, 'p').state()).state.context.rounds >= rounds,
        { ...patience, describe: `round ${rounds}` },
      )
      await node.close()
      node = await start({ actors: [poll] })
    }
    await until(() => node.spawn(poll, 'p').matches('done'), {
      ...patience,
      describe: 'the loop ends',
    })
    t.equal((await node.spawn(poll, 'p').state()).state.context.rounds, 4)
    const after = 'xstate.after.60.poll.polling'
    t.strictSame(await typesOf(node, 'poll', 'p'), [
      'xstate.init',
      'begin',
      after,
      after,
      after,
    ])
  },
)

await t.test('what a late delay does is said by the definition', async t => {
  for (const late of ['fire', 'skip', 'restart'] as const) {
    const clock = new ManualClock(1_000_000)
    const store = memory()
    const order = orderOf(hour, { late })
    const open = () => startNode({ namespace: 'late', store, actors: [order], clock })
    const first = await open()
    await first.spawn(order, 'a').ask('place')
    await until(async () => (await pending(first, 'order', 'a')).length === 1, patience)
    await first.close()
    clock.advance(2 * hour)
    await using node = await open()
    const a = node.spawn(order, 'a')
    await until(async () => (await a.state()).version === 3, {
      ...patience,
      describe: `${late}: the late one has come`,
    })
    const { state } = await a.state()
    if (late === 'fire') t.equal(state.value, 'expired')
    else {
      t.equal(state.value, 'placed', late)
      t.strictSame((await eventsOf(node, 'order', 'a')).at(-1)?.data, {
        name: unpaid,
        does: late,
      })
    }
    if (late === 'skip') t.equal(state.timers, undefined)
    if (late !== 'restart') continue
    t.equal(state.timers?.[unpaid]?.at, 1_000_000 + 3 * hour, 'a whole delay from now')
    await until(
      async () => (await pending(node, 'order', 'a'))[0]?.at === 1_000_000 + 3 * hour,
      patience,
    )
    clock.advance(hour)
    await until(async () => (await a.state()).state.value === 'expired', {
      ...patience,
      describe: 'and in time it fires',
    })
  }
})

await t.test('only a timer of the actor sends what it sends', async t => {
  const { host } = hostOf({ actors: [orderOf(hour)] })
  const a = { type: 'order', id: 'a' }
  await host.ask(a, 'place', undefined)
  for (const type of [unpaid, 'xstate.timer'])
    await t.rejects(host.ask(a, type, undefined), { code: 'unknown-command' })
  const options: RedeliveryOptions = {
    redelivery: { sentAfter: 0, firing: { name: 'other', generation: 1 } },
  }
  t.match(
    await host.ask(a, unpaid, undefined, options),
    { ok: false, rejection: { code: 'rejected' } },
    'and only one that the state waits for',
  )
})

await t.test(
  'a delay of an earlier version is found by what it is called now',
  async t => {
    const clock = new ManualClock(1_000_000)
    const store = memory()
    const make = (state: string, options: object) =>
      fromMachine(
        setup({ types: { events: {} as { type: 'go' } } }).createMachine({
          id: 'm',
          initial: 'idle',
          states: {
            idle: { on: { go: state } },
            [state]: { after: { [hour]: 'over' } },
            over: {},
          },
        }),
        options,
      )
    const first = make('old', {})
    const one = await startNode({ namespace: 'm', store, actors: [first], clock })
    await one.spawn(first, 'a').ask('go')
    await until(async () => (await pending(one, 'm', 'a')).length === 1, patience)
    await one.close()
    const second = make('fresh', {
      version: 2,
      migrate: ({ type }: { type: string }) =>
        type === `xstate.after.${hour}.m.old`
          ? { type: `xstate.after.${hour}.m.fresh` }
          : undefined,
    })
    await using two = await startNode({ namespace: 'm', store, actors: [second], clock })
    clock.advance(hour)
    await until(
      async () => (await two.spawn(second, 'a').state()).version === 3,
      patience,
    )
    t.match((await two.spawn(second, 'a').state()).state, {
      value: 'over',
      timers: undefined,
    })
  },
)

await t.test('a delay that is no number is named', async t => {
  const make = (delays: object) =>
    fromMachine(
      setup({ delays }).createMachine({
        id: 'kettle',
        initial: 'off',
        states: {
          off: { on: { go: 'hot' } },
          hot: { after: { cooling: 'off' } },
        },
      } as never) as unknown as AnyStateMachine,
    )
  for (const wrong of ['5 min', null, Number.NaN, Infinity])
    t.throws(() => make({ cooling: wrong }), {
      code: 'invalid-definition',
      message: /Machine kettle: its delay "cooling" is .*finite number/,
    })
  const bad = ['3s', undefined, Number.NaN, {}, Infinity]
  for (const wrong of bad) {
    const kettle = make({ cooling: () => wrong })
    const store = memory()
    await using node = await startNode({ namespace: 'k', store, actors: [kettle] })
    await t.rejects(node.ask({ type: 'kettle', id: 'a' }, 'go'), {
      code: 'invalid-timer',
      message: /Machine kettle: the delay of "xstate\.after\.cooling\.kettle\.hot" is/,
    })
    t.equal((await node.state({ type: 'kettle', id: 'a' })).version, 0)
  }
  const lost = createMachine({
    id: 'lost',
    entry: raise({ type: 'tick' }, { delay: 'sometime' as never }),
  })
  t.throws(() => fromMachine(lost), {
    code: 'invalid-definition',
    message:
      /state lost: it has an event after "sometime", and that delay is not defined/,
  })
})

await t.test('what can never be due is refused', async t => {
  const nameless = setup({ types: { events: {} as { type: 'go' } } }).createMachine({
    id: 'x',
    initial: 'a',
    states: { a: { after: { soon: 'b' } }, b: {} },
  } as never)
  t.throws(() => fromMachine(nameless as unknown as AnyStateMachine), {
    code: 'invalid-definition',
    message:
      /Machine x, state x\.a: it has a transition after "soon", and that delay is not defined/,
  })
  t.throws(() => orderOf(1, { late: 'never' as never }), {
    code: 'invalid-definition',
    message: /late is "never"/,
  })
  const forever = fromMachine(
    setup({ types: { events: {} as { type: 'go' } } }).createMachine({
      id: 'x',
      on: { go: { actions: raise({ type: 'go' }, { delay: Infinity }) } },
    }),
  )
  await using node = await startNode({
    namespace: 'm',
    store: memory(),
    actors: [forever],
  })
  await t.rejects(node.spawn(forever, 'a').ask('go'), { code: 'invalid-timer' })
  t.equal((await node.spawn(forever, 'a').state()).version, 0)
})
