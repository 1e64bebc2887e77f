// Machines that a machine invokes and spawns: their state is part of its own, so they are what they
// were on whichever node, and what they say to their parent is part of its history.

import t from 'tap'
import {
  type ActorRefFrom,
  type AnyActorRef,
  assign,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'

import { verifyHistory } from '../../src/actor/verify.js'
import { memory } from '../../src/backend/memory.js'
import { actorAt } from '../../src/machine/actor-at.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import type { MachineState } from '../../src/machine/types.js'
import type { Behavior } from '../../src/model/behavior.js'
import { defineTopic } from '../../src/model/topic.js'
import { deferred } from '../../src/model/wait.js'
import type { Node } from '../../src/runtime/node.js'
import { startNode } from '../../src/runtime/start-node.js'
import { onEachBackend } from '../support/backends.js'
import { until } from '../support/wait.js'
import { account } from './machines.js'

const patience = { timeout: 60_000 }

async function typesOf(node: Node, type: string, id: string): Promise<string[]> {
  const types: string[] = []
  for await (const event of node.store.read({ type, id }))
    if (event.kind === 'event') types.push(event.type)
  return types
}

async function timersOf(node: Node): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of node.timers()) names.push(name)
  return names.toSorted()
}

/** A parcel that is packed by a promise, waits for its van, and is driven stop by stop. */
function shop() {
  const packed: { key: string; done: (what: string) => void }[] = []
  const acted: string[] = []
  const moved = defineTopic('parcels.moved')
  const parcel = setup({
    types: {
      context: {} as { of: string; stops: number },
      input: {} as { of: string },
      events: {} as { type: 'load' | 'stop' | 'lose' },
      emitted: {} as { type: 'moved'; of: string },
      output: {} as { stops: number },
    },
    actors: {
      pack: fromPromise<string>(({ self }) => {
        const { promise, resolve } = deferred<string>()
        packed.push({ key: self.sessionId, done: resolve })
        return promise
      }),
    },
    actions: { see: ({ self }) => acted.push(`${self.id} at ${self.sessionId}`) },
    delays: { late: 3_600_000, short: 60 },
  }).createMachine({
    id: 'parcel',
    context: ({ input }) => ({ ...input, stops: 0 }),
    output: ({ context }) => ({ stops: context.stops }),
    initial: 'packing',
    states: {
      packing: { invoke: { src: 'pack', id: 'pack', onDone: 'waiting' } },
      waiting: {
        entry: sendParent(({ context }) => ({ type: 'packed', of: context.of })),
        on: { load: 'driving' },
        after: { late: { actions: sendParent({ type: 'late' }) } },
      },
      driving: {
        entry: 'see',
        on: {
          stop: {
            actions: [
              assign({ stops: ({ context }) => context.stops + 1 }),
              emit(({ context }) => ({ type: 'moved', of: context.of })),
              sendTo(({ context }) => actorAt(account, context.of), {
                type: 'charge',
                amount: 1,
              }),
            ],
          },
          lose: {
            actions: () => {
              throw new Error('an action that fails changes nothing')
            },
            target: 'arriving',
          },
        },
      },
      arriving: { after: { short: 'there' } },
      there: { type: 'final' },
    },
  })
  const order = fromMachine(
    setup({
      types: {
        context: {} as { notes: readonly string[] },
        events: {} as
          | { type: 'begin' | 'load' | 'stop' | 'lose' | 'forget' | 'late' }
          | { type: 'packed'; of: string },
      },
      actors: { parcel },
    }).createMachine({
      id: 'order',
      context: { notes: [] },
      initial: 'new',
      states: {
        new: { on: { begin: 'open' } },
        open: {
          invoke: {
            id: 'parcel',
            src: 'parcel',
            input: ({ self }) => ({ of: self.id }),
            onDone: {
              target: 'closed',
              actions: assign({
                notes: ({ context, event }) => [
                  ...context.notes,
                  `${event.output.stops} stops`,
                ],
              }),
            },
          },
          on: {
            packed: {
              actions: assign({
                notes: ({ context, event }) => [...context.notes, `packed ${event.of}`],
              }),
            },
            load: { actions: sendTo('parcel', { type: 'load' }) },
            stop: { actions: sendTo('parcel', { type: 'stop' }) },
            lose: { actions: sendTo('parcel', { type: 'lose' }) },
            forget: 'new',
          },
        },
        closed: { type: 'final' },
      },
    }),
    { emits: { moved } },
  )
  return { order, packed, acted }
}

await onEachBackend(
  t,
  'a child machine goes on where it was, on whichever node',
  async (t, scene) => {
    const { start } = scene(t)
    const { order, packed, acted } = shop()
    const actors = [order, account]
    const open = (node: Node) => node.spawn(order, 'a')
    const childOf = async (node: Node) =>
      (await open(node).state()).state.children?.['parcel']

    const first = await start({ actors })
    t.match(await open(first).ask('begin'), { ok: true, version: 2 })
    t.match(await childOf(first), {
      src: 'parcel',
      key: 'order/a/2#parcel',
      state: {
        value: 'packing',
        context: { of: 'a', stops: 0 },
        children: { pack: { src: 'pack', key: 'order/a/2#parcel/pack' } },
      },
    })
    t.equal(packed.length, 1, 'what it invokes runs')
    await first.close()

    const second = await start({ actors })
    await until(() => packed.length === 2, {
      ...patience,
      describe: 'and again on the next owner',
    })
    t.equal(packed[1]!.key, 'order/a/2#parcel/pack', 'by the same key')
    packed[1]!.done('')
    await until(
      async () => (await open(second).state()).state.context.notes.length === 1,
      {
        ...patience,
        describe: 'it has told its parent',
      },
    )
    t.match(await childOf(second), { state: { value: 'waiting' } })
    await until(async () => (await timersOf(second)).length === 1, patience)
    t.strictSame(await timersOf(second), ['parcel#xstate.after.late.parcel.waiting'])
    await open(second).ask('load')
    await open(second).ask('stop')
    t.strictSame(acted, ['parcel at order/a/5'], 'its own actions run')
    await second.close()

    const third = await start({ actors })
    t.match(await childOf(third), { state: { value: 'driving', context: { stops: 1 } } })
    const snapshot = await open(third).snapshot()
    t.match(snapshot.children.parcel?.getSnapshot(), {
      value: 'driving',
      context: { stops: 1 },
    })
    const done = {
      key: 'order/a/2#parcel',
      output: { stops: 99 },
    }
    t.match(
      await third.ask({ type: 'order', id: 'a' }, 'xstate.done.actor.parcel', done),
      { ok: false, rejection: { code: 'rejected' } },
      'nobody else can say that it is done',
    )
    await open(third).ask('stop')
    await open(third).ask('lose')
    await until(async () => (await open(third).state()).state.status === 'done', {
      ...patience,
      describe: 'its own delay has come, and it has ended',
    })
    const { state } = await open(third).state()
    t.strictSame(state.context.notes, ['packed a', '2 stops'])
    t.equal(state.children, undefined)
    t.strictSame(await typesOf(third, 'order', 'a'), [
      'xstate.init',
      'begin',
      'xstate.done.actor.pack',
      'packed',
      'load',
      'stop',
      'stop',
      'lose',
      'xstate.after.short.parcel.arriving',
      'xstate.done.actor.parcel',
    ])
    await until(
      async () =>
        (await third.spawn(account, 'a').state()).state.balance === -2 &&
        (await timersOf(third)).length === 0,
      { ...patience, describe: 'what it has sent has arrived, and no timer is left' },
    )
    const { signal } = new AbortController()
    const verdict = await verifyHistory({
      store: third.store,
      actor: { type: 'order', id: 'a' },
      behavior: order.behavior as Behavior,
      signal,
    })
    t.strictSame(verdict, { kind: 'folds', version: 10 }, 'replayed, it is the same')
  },
)

await onEachBackend(
  t,
  'a child machine ends with the state that invoked it',
  async (t, scene) => {
    const { order, packed } = shop()
    const node = await scene(t).start({ actors: [order, account] })
    const one = node.spawn(order, 'a')
    await one.ask('begin')
    packed[0]!.done('')
    await until(async () => (await timersOf(node)).length === 1, patience)
    await one.ask('forget')
    t.equal((await one.state()).state.children, undefined)
    await until(async () => (await timersOf(node)).length === 0, {
      ...patience,
      describe: 'its timer is cancelled',
    })
    await one.ask('begin')
    t.match((await one.state()).state.children?.['parcel'], {
      key: 'order/a/6#parcel',
      state: { value: 'packing', context: { stops: 0 } },
    })
  },
)

await t.test(
  'actors in a context are names in the state, and actors in the machine',
  async t => {
    const heard: string[] = []
    interface Job {
      readonly boss: AnyActorRef
      readonly n: number
    }
    const job = setup({
      types: {
        context: {} as Job,
        input: {} as { boss: AnyActorRef },
        events: {} as { type: 'go' },
      },
      actions: { see: ({ context }) => heard.push(`go ${context.n}`) },
    }).createMachine({
      id: 'job',
      context: ({ input }) => ({ boss: input.boss, n: 0 }),
      on: {
        go: {
          actions: [
            'see',
            assign({ n: ({ context }) => context.n + 1 }),
            sendTo(({ context }) => context.boss, { type: 'gone' }),
            sendTo(({ context }) => context.boss, { type: 'later' }, { delay: 20 }),
          ],
        },
      },
    })
    const boss = fromMachine(
      setup({
        types: {
          context: {} as { jobs: readonly ActorRefFrom<typeof job>[]; gone: string[] },
          events: {} as { type: 'add' | 'go' | 'gone' | 'later' | 'soon' },
        },
        actors: { job },
      }).createMachine({
        id: 'boss',
        context: { jobs: [], gone: [] },
        on: {
          add: {
            actions: assign({
              jobs: ({ context, spawn, self }) => [
                ...context.jobs,
                spawn('job', { id: `job-${context.jobs.length}`, input: { boss: self } }),
              ],
            }),
          },
          go: { actions: sendTo(({ context }) => context.jobs[0]!, { type: 'go' }) },
          soon: {
            actions: sendTo(
              ({ context }) => context.jobs[1]!,
              { type: 'go' },
              { delay: 20 },
            ),
          },
          gone: { actions: assign({ gone: ({ context }) => [...context.gone, 'gone'] }) },
          later: {
            actions: assign({ gone: ({ context }) => [...context.gone, 'later'] }),
          },
        },
      }),
    )
    const store = memory()
    const begin = () => startNode({ namespace: 'jobs', store, actors: [boss] })
    {
      await using node = await begin()
      const b = node.spawn(boss, 'b')
      await b.ask('add')
      await b.ask('add')
      await b.ask('go')
      t.strictSame(heard, ['go 0'])
    }
    await using node = await begin()
    const b = node.spawn(boss, 'b')
    await b.ask('go')
    t.strictSame(heard, ['go 0', 'go 1'], 'found again by its name')
    await b.ask('soon')
    const goneOf = async () => (await b.state()).state.context.gone
    await until(
      async () => (await goneOf()).filter(one => one === 'later').length === 3,
      {
        ...patience,
        describe: 'what was put off has arrived',
      },
    )
    t.equal((await goneOf()).filter(one => one === 'gone').length, 3)
    t.strictSame(heard, ['go 0', 'go 1', 'go 0'])
    const { state } = await b.state()
    t.strictSame(JSON.parse(JSON.stringify(state.context.jobs)), [
      { xstate$$type: 1, id: 'job-0' },
      { xstate$$type: 1, id: 'job-1' },
    ])
    t.match(state.children?.['job-0']?.state, { context: { n: 2 } })
    const { actor, version } = {
      actor: { type: 'boss', id: 'b' },
      version: (await b.state()).version,
    }
    t.strictSame(
      (await node.state(actor, { version })).state,
      state,
      'replayed, the same',
    )
  },
)

await t.test('what a callback of a child machine sends is that one’s', async t => {
  let beat: () => void = () => {}
  const heart = createMachine({
    id: 'heart',
    context: { beats: 0 },
    invoke: {
      id: 'pulse',
      src: fromCallback(({ sendBack }) => {
        beat = () => sendBack({ type: 'beat' })
        return () => {}
      }),
    },
    on: { beat: { actions: assign({ beats: ({ context }) => context.beats + 1 }) } },
  })
  const body = fromMachine(
    createMachine({ id: 'body', invoke: { id: 'heart', src: heart } }),
  )
  await using node = await startNode({
    namespace: 'bodies',
    store: memory(),
    actors: [body],
  })
  const b = node.spawn(body, 'b')
  await b.ask('xstate.init')
  for (let i = 0; i < 3; i++) beat()
  const beatsOf = async () => {
    const { children } = (await b.state()).state
    return (children?.['heart']?.state?.context as { beats: number } | undefined)?.beats
  }
  await until(async () => (await beatsOf()) === 3, {
    ...patience,
    describe: 'three beats are counted',
  })
  const { key } = (await b.state()).state.children!['heart']!
  await t.rejects(
    node.ask({ type: 'body', id: 'b' }, 'xstate.child', { key, event: 'beat' }),
    { code: 'unknown-command' },
    'what is no event reaches no child',
  )
  t.match(
    await node.ask({ type: 'body', id: 'b' }, 'xstate.child', {
      key: 'body/b/1#another',
      event: { type: 'beat' },
    }),
    { ok: false, rejection: { code: 'rejected' } },
    'nor what is for another',
  )
  t.strictSame(await typesOf(node, 'body', 'b'), [
    'xstate.init',
    ...Array<string>(3).fill('xstate.child'),
  ])
})

await t.test(
  'a child machine that fails is heard of, and ends its parent if nobody takes it',
  async t => {
    const bad = createMachine({
      id: 'bad',
      initial: 'a',
      context: {},
      states: { a: { on: { go: 'b' } }, b: {} },
      on: {
        fail: {
          actions: assign(() => {
            throw new RangeError('out of range')
          }),
        },
      },
    })
    const stillborn = createMachine({
      id: 'stillborn',
      context: () => {
        throw new Error('no context')
      },
    })
    const parent = fromMachine(
      setup({
        types: {
          context: {} as { why: string },
          events: {} as { type: 'brave' | 'careful' | 'born' | 'fail' },
        },
        actors: { bad, stillborn },
      }).createMachine({
        id: 'parent',
        context: { why: '' },
        initial: 'calm',
        states: {
          calm: { on: { brave: 'brave', careful: 'careful', born: 'born' } },
          brave: { invoke: { id: 'bad', src: 'bad' } },
          careful: {
            invoke: {
              id: 'bad',
              src: 'bad',
              onError: {
                target: 'calm',
                actions: assign({
                  why: ({ event }) => (event.error as { message: string }).message,
                }),
              },
            },
          },
          born: { invoke: { id: 'still', src: 'stillborn', onError: 'calm' } },
        },
        on: { fail: { actions: sendTo('bad', { type: 'fail' }) } },
      }),
    )
    await using node = await startNode({
      namespace: 'bad',
      store: memory(),
      actors: [parent],
    })
    const p = node.spawn(parent, 'p')
    await p.ask('careful')
    t.match(await p.ask('fail'), { ok: true, version: 4, reply: { value: 'calm' } })
    t.match((await p.state()).state.context.why, /out of range/)
    t.match(await p.ask('born'), { ok: true, reply: { value: 'calm' } })
    await p.ask('brave')
    t.match(await p.ask('fail'), { ok: true, reply: { status: 'error' } })
    t.match((await p.state()).state.error, { name: 'RangeError' })
  },
)

await t.test('machines that send each other events in a loop are stopped', async t => {
  const echo = setup({}).createMachine({
    id: 'echo',
    on: { ping: { actions: sendParent({ type: 'pong' }) } },
  })
  const spawnIt = spawnChild('echo' as never, { id: 'echo' })
  const caller = fromMachine(
    setup({ actors: { echo } }).createMachine({
      id: 'caller',
      entry: spawnIt as never,
      on: {
        ping: { actions: sendTo('echo', { type: 'ping' }) },
        pong: { actions: sendTo('echo', { type: 'ping' }) },
        end: { actions: stopChild('echo') },
      },
    }),
  )
  await using node = await startNode({
    namespace: 'loop',
    store: memory(),
    actors: [caller],
  })
  const c = node.spawn(caller, 'c')
  await t.rejects(c.ask('ping'), {
    code: 'invalid-definition',
    message: /send each other events in a loop/,
  })
  t.equal((await c.state()).version, 0, 'nothing is stored')
  t.match(await c.ask('end'), { ok: true })
  const { children } = (await c.state()).state as MachineState
  t.equal(children, undefined)
})
