// What a machine accepts, answers and refuses, and what is said of it where it is defined.

import t from 'tap'
import {
  type AnyActorRef,
  assign,
  createMachine,
  emit,
  fromPromise,
  fromTransition,
  sendTo,
  setup,
  spawnChild,
  stateIn,
} from 'xstate'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { memory } from '../../src/backend/memory.js'
import { demoActors } from '../../src/program/demo/demo.js'
import { actorAt } from '../../src/machine/actor-at.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { given } from '../../src/testing/given.js'
import { account, done, light, loop, player, ride } from './machines.js'
import { pinoLines } from './support.js'

await t.test('a machine is specified as every behavior is', async t => {
  given(light).when('timer').thenReply({ status: 'active', value: 'yellow' })
  given(light, [event('timer'), event('timer')] as never)
    .when('timer')
    .thenState({
      status: 'active',
      value: { red: 'wait' },
      context: { cycles: 0 },
      tags: ['stop'],
    })
  given(light).when('push').thenRejected('rejected')
  given(loop)
    .when('finish')
    .thenReply({ status: 'done', value: 'ended', output: { entered: 0 } })
  given(loop, [event('xstate.init', { input: { limit: 0 } }), event('finish')] as never)
    .when('finish')
    .thenRejected('rejected')
  t.pass('and all of it held')
})

await t.test('the helpers of a definition read a state', async t => {
  await using node = await startNode({
    namespace: 'm',
    store: memory(),
    actors: [player, light, loop],
  })
  const one = node.spawn(player, 'p')
  await one.ask('play')
  const { state } = await one.state()
  t.ok(player.matches(state, { track: 'on' }))
  t.ok(player.matches(state, { track: { on: 'playing' }, volume: 'normal' }))
  t.notOk(player.matches(state, { volume: 'muted' }))
  t.ok(player.can(state, { type: 'next', by: 1 }))
  t.notOk(player.can(state, { type: 'resume' }))
  t.strictSame(player.snapshot(state).value, state.value)
  t.ok(light.hasTag((await node.spawn(light, 'l').state()).state, 'go'))

  t.equal(await one.matches({ track: 'on' }), true)
  t.equal(await one.matches({ volume: 'muted' }), false)
  t.equal(await one.can({ type: 'next', by: 1 }), true)
  t.equal(await one.can({ type: 'resume' }), false)
  t.strictSame((await one.snapshot()).value, state.value)
  t.equal(await node.spawn(light, 'l').hasTag('stop'), false)

  await one.ask('pause')
  const refused = await one.ask('next', { by: 0 })
  if (refused.ok) throw new Error('it was not refused')
  t.match(refused.rejection.message, /the guards of its transitions reject it\.$/)

  const l = node.spawn(loop, 'l')
  t.match(await l.ask('xstate.init', { limit: 3 }), { ok: true, version: 1 })
  t.equal((await l.state()).state.context.limit, 3, 'begun with an input of its own')
  const twice = await l.ask('xstate.init', { limit: 4 })
  t.match(twice, { ok: false, rejection: { code: 'rejected' } })
  t.equal(await l.output(), undefined)
  await l.ask('finish')
  t.strictSame(await l.output({ freshness: { after: 2 } }), { entered: 0 })
  const { state: ended } = await l.state()
  t.strictSame(ended.output, { entered: 0 })
  t.equal(ended.status, 'done')
  const late = await l.ask('go', { steps: 1 })
  if (late.ok) throw new Error('it was not refused')
  t.match(late.rejection.message, /"go": it is done, and accepts no more events\.$/)
})

await t.test('what is no event of the machine is an error, not a refusal', async t => {
  await using node = await startNode({
    namespace: 'm',
    store: memory(),
    actors: [player],
  })
  const ask = (command: string, data?: unknown) =>
    node.ask({ type: 'player', id: 'p' }, command, data)
  for (const type of ['dance', 'xstate.done.actor.x', 'xstate.stop', '*', 'x'])
    await t.rejects(ask(type), { code: 'unknown-command', message: /It knows .*play/ })
  for (const data of [7, 'x', [1], { type: 'stop' }])
    await t.rejects(ask('play', data), {
      code: 'invalid-command',
      message: /pass an object with the event's fields, without its type/,
    })
  await t.rejects(node.spawn(player, 'p').send('dance' as never), {
    code: 'unknown-command',
  })
})

await t.test('an event of a wildcard is known, a foreign one is not', async t => {
  const { commandTypes } = loop.behavior
  t.strictSame(
    commandTypes.toSorted(),
    ['again', 'finish', 'go', 'note.*', 'xstate.init'].toSorted(),
  )
  await using node = await startNode({ namespace: 'm', store: memory(), actors: [loop] })
  const one = node.spawn(loop, 'l')
  await one.ask('go', { steps: 1 })
  t.equal((await one.ask('note.a')).ok, true)
  t.match(await one.send('note.b'), { commandId: String })
})

await t.test('an action that fails is told, and undoes nothing', async t => {
  const { log, lines } = pinoLines()
  await using node = await startNode({
    namespace: 'm',
    store: memory(),
    actors: [ride, account],
    log,
  })
  const one = node.spawn(ride, 'r')
  await one.ask('begin', { rider: 'x' })
  done.length = 0
  t.match(await one.ask('explode'), { ok: true, version: 3 })
  t.strictSame(done, ['last ride/r/3'], 'the others run')
  await one.ask('drive', { km: 1 })
  const said = lines().map(line => line.msg)
  t.match(
    said.filter(line => /failed/.test(line)),
    [
      /action fail of ride\/r failed: the engine is dead/,
      /action misuse of ride\/r failed: An action used self to send/,
      /action failLater of ride\/r failed: the battery is flat/,
    ],
  )
  await t.rejects(one.ask('sideways'), {
    code: 'invalid-definition',
    message: /emitted "unheard", which has no topic/,
  })
  t.equal((await one.state()).version, 4, 'nothing of it was stored')
})

await t.test('what cannot be durable is refused where it is defined', t => {
  const refused = (machine: unknown, message: RegExp, options: object = {}) =>
    t.throws(() => fromMachine(machine as never, options as never), {
      code: 'invalid-definition',
      message,
    })
  refused({}, /pass what XState's createMachine/)
  const invoking = (invoke: object) =>
    createMachine({ id: 'x', initial: 'a', states: { a: { invoke: invoke as never } } })
  refused(invoking({ src: 'nowhere' }), /child 0\.x\.a: there is no logic of that name/)
  refused(
    invoking({ src: invoking({ src: fromTransition(n => n, 0) }) }),
    /child 0\.x\.a: fromTransition makes logic/,
  )
  refused(invoking({ src: fromTransition(n => n, 0) }), /fromTransition makes logic/)
  refused(
    invoking({ id: 'c', src: fromPromise(async () => 1), systemId: 'me' }),
    /child c: it has a systemId/,
  )
  refused(createMachine({ id: 'x' }), /version of actor type x is 0/, { version: 0 })
  refused(createMachine({ id: 'cairn-x' }), /is reserved/)
  refused(createMachine({ id: 'x' }), /pass topics made by defineTopic/, {
    emits: { a: 1 },
  })
  t.throws(() => fromMachine(createMachine({})), {
    code: 'invalid-actor-type',
    message: /has no id.*createMachine\(\{ id \}\)/,
  })
  t.equal(fromMachine(createMachine({}), { type: 'named' }).type, 'named')
  t.end()
})

await t.test('what only shows in a step is refused there', async t => {
  const promise = fromPromise(async () => 1)
  const make = (actions: unknown) =>
    fromMachine(
      setup({ actors: { known: promise } }).createMachine({
        id: 'x',
        on: { go: { actions: actions as never } },
      }),
    )
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [
      sendTo(() => ({}) as AnyActorRef, { type: 'go' }, { delay: 10 }),
      /sent "go" to a target that is not a durable actor/,
    ],
    [
      [
        spawnChild('known', { id: 'child' }),
        sendTo('child', { type: 'go' }, { delay: 10 }),
      ],
      /sent "go" to a target that is not a durable actor/,
    ],
    [
      [spawnChild('known', { id: 'child' }), sendTo('child', { type: 'go' })],
      /sent "go" to a target that is not a durable actor/,
    ],
    [spawnChild(promise, { id: 'child' }), /child child: its logic has no name/],
    [spawnChild(promise), /it has no id\. Give it one/],
    [
      assign({ x: ({ spawn }) => spawn(promise, { id: 'y' }) }),
      /child y: its logic has no name/,
    ],
    [
      sendTo(() => ({}) as AnyActorRef, { type: 'go' }),
      /sent "go" to a target that is not a durable actor/,
    ],
    [emit({ type: 'gone' }), /emitted "gone", which has no topic/],
  ]
  for (const [actions, message] of cases) {
    const store = memory()
    await using node = await startNode({ namespace: 'm', store, actors: [make(actions)] })
    await t.rejects(node.ask({ type: 'x', id: '1' }, 'go'), {
      code: 'invalid-definition',
      message,
    })
    t.equal((await node.state({ type: 'x', id: '1' })).version, 0)
  }
  t.throws(() => actorAt(account, 'a').send({ type: 'close' }), {
    code: 'invalid-definition',
  })
})

await t.test('types come from setup()', t => {
  const bell = fromMachine(
    setup({
      types: {
        context: {} as { rung: number },
        input: {} as { rung: number },
        events: {} as
          | { type: 'ring'; times: number }
          | { type: 'mute'; until?: number }
          | { type: 'off' },
        emitted: {} as { type: 'rang'; times: number },
        tags: {} as 'loud',
      },
      guards: { quiet: stateIn('off') },
    }).createMachine({
      id: 'bell',
      context: ({ input }) => ({ rung: input.rung }),
      initial: 'on',
      states: {
        on: {
          on: {
            ring: {
              actions: assign({
                rung: ({ context, event: { times } }) => context.rung + times,
              }),
            },
            off: 'off',
          },
        },
        off: {},
      },
    }),
    {
      input: id => ({ rung: id.length }),
      emits: { rang: defineTopic('bells') },
      reply: state => state.context.rung,
    },
  )
  const typed = () => async (node: Awaited<ReturnType<typeof startNode>>) => {
    const one = node.spawn(bell, 'b')
    const rung = await one.ask('ring', { times: 2 })
    if (rung.ok) rung.reply satisfies number
    else rung.rejection.code satisfies 'rejected'
    await one.ask('off')
    await one.ask('mute')
    await one.ask('mute', { until: 3 })
    // @ts-expect-error -- it has no such event
    await one.ask('rings')
    // @ts-expect-error -- the event has a field
    await one.ask('ring')
    // @ts-expect-error -- of another type
    await one.ask('ring', { times: 'two' })
    const { state } = await one.state()
    state.context.rung satisfies number
    bell.matches(state, 'on')
    // @ts-expect-error -- it has no such state
    bell.matches(state, 'broken')
    bell.hasTag(state, 'loud')
    // @ts-expect-error -- it has no such tag
    bell.hasTag(state, 'red')
    ;(await one.matches('off')) satisfies boolean
    ;(await one.snapshot()).context.rung satisfies number
    ;(await node.spawn(loop, 'l').output()) satisfies { entered: number } | undefined
    // @ts-expect-error -- it has no such state
    await one.matches('broken')
    // @ts-expect-error -- the event has a field
    await one.can({ type: 'ring' })
    actorAt(account, 'a') satisfies {
      send(event: { type: 'charge'; amount: number }): void
    }
    fromMachine(loop.machine) // its actors get their input by xstate.init
    // @ts-expect-error -- not such an input
    void node.spawn(loop, 'l').ask('xstate.init', { from: 7 })
    // @ts-expect-error -- not such an input
    fromMachine(loop.machine, { input: 7 })
  }
  t.type(typed, 'function')
  t.end()
})

await t.test('a machine that needs input is started by it', async t => {
  const parcel = fromMachine(
    setup({
      types: {
        context: {} as { to: string; stops: number },
        input: {} as { address: { city: string } },
        events: {} as { type: 'stop' },
      },
    }).createMachine({
      id: 'parcel',
      context: ({ input }) => ({ to: input.address.city, stops: 0 }),
      on: { stop: { actions: assign({ stops: ({ context }) => context.stops + 1 }) } },
    }),
  )
  const store = memory()
  await using node = await startNode({ namespace: 'post', store, actors: [parcel] })
  const one = node.spawn(parcel, '1')
  t.match((await one.state()).state, { status: 'error', value: {} })
  t.match(await one.ask('stop'), {
    ok: false,
    rejection: {
      code: 'rejected',
      message: /does not start without input.*xstate\.init/,
      details: { accepts: ['xstate.init'] },
    },
  })
  t.equal((await one.state()).version, 0)
  await t.rejects(one.ask('xstate.init', {} as never), { code: 'decide-failed' })
  t.match(await one.ask('xstate.init', { address: { city: 'Graz' } }), { ok: true })
  t.match(await one.ask('stop'), { ok: true, version: 2 })
  t.match((await one.state()).state.context, { to: 'Graz', stops: 1 })
})

await t.test("the demo's trip goes from its reservation to its end", async t => {
  await using node = await startNode({
    namespace: 'm',
    store: memory(),
    actors: demoActors,
  })
  const ask = (command: string, data?: unknown) =>
    node.ask({ type: 'trip', id: 't1' }, command, data)
  t.equal(
    (await ask('reserve', { rider: '', car: 'c' })).ok,
    false,
    'a guard checks data',
  )
  t.equal((await ask('reserve')).ok, false)
  for (const [command, data, value] of [
    ['reserve', { rider: 'rita', car: 'c7' }, 'reserved'],
    ['start', undefined, { underWay: 'driving' }],
    ['drive', { km: 12 }, { underWay: 'driving' }],
    ['pause', undefined, { underWay: 'paused' }],
    ['end', undefined, 'ended'],
  ] as const) {
    const outcome = await ask(command, data)
    if (!outcome.ok) throw new Error(outcome.rejection.message)
    t.match(outcome.reply, { value })
  }
  const { state } = await node.state({ type: 'trip', id: 't1' })
  t.match(state, { status: 'done', output: { rider: 'rita', car: 'c7', km: 12 } })
})

await t.test(
  'an answer that the machine does not know is a fault of its definition',
  async t => {
    const shelf = defineActor({
      type: 'shelf',
      initialState: 0,
      decide: { take: () => event('taken') },
      evolve: { taken: (count: number) => count + 1 },
    })
    const wrong = fromMachine(
      setup({
        types: { events: {} as { type: 'GO' } | { type: 'GOT' } },
        actions: {
          take: sendTo(actorAt(shelf, 's', { replied: 'GOTT' }), { type: 'take' }),
        },
      }).createMachine({
        id: 'buyer',
        on: { GO: { actions: 'take' }, GOT: { actions: 'take' } },
      }),
    )
    await using node = await startNode({
      namespace: 'answers',
      store: memory(),
      actors: [shelf, wrong],
      log: false,
    })
    await t.rejects(node.spawn(wrong, 'b').ask('GO'), {
      code: 'invalid-definition',
      message:
        /"GOTT" as the answer .* Did you mean GOT\?.* correct replied or refused of actorAt/,
    })
    t.equal(await node.store.lastPosition(), 0)
  },
)
