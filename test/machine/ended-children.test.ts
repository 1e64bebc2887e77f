// References to children that have ended stay in the context: living, woken and replayed, as in XState.

import t from 'tap'
import {
  type AnyActorRef,
  assign,
  createActor,
  createMachine,
  fromPromise,
  sendTo,
  setup,
  stopChild,
} from 'xstate'

import { memory } from '../../src/backend/memory.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { startNode } from '../../src/runtime/start-node.js'

const game = createMachine({
  id: 'game',
  context: { score: 3 },
  initial: 'on',
  states: { on: { on: { win: 'won' } }, won: { type: 'final' } },
  output: { medal: 'gold' },
})

interface Context {
  readonly best: AnyActorRef | undefined
  readonly games: Readonly<Record<string, AnyActorRef>>
  readonly seen: readonly string[]
}

const league = setup({
  types: {
    context: {} as Context,
    events: {} as
      | { type: 'start' | 'win' | 'stop' | 'poke' | 'pokeLate'; name: string }
      | { type: 'look' | 'forget' },
  },
  actors: { game, rest: fromPromise(async () => 'rested') },
}).createMachine({
  id: 'league',
  context: { best: undefined, games: {}, seen: [] },
  on: {
    start: {
      actions: assign(({ context, event, spawn }) => {
        const started = spawn('game', { id: event.name })
        return { best: started, games: { ...context.games, [event.name]: started } }
      }),
    },
    win: {
      guard: ({ context, event }) => context.games[event.name] !== undefined,
      actions: sendTo(({ context, event }) => context.games[event.name]!, {
        type: 'win',
      }),
    },
    stop: { actions: stopChild(({ context, event }) => context.games[event.name]!) },
    poke: {
      actions: sendTo(({ context, event }) => context.games[event.name]!, {
        type: 'win',
      }),
    },
    pokeLate: {
      actions: sendTo(
        ({ context, event }) => context.games[event.name]!,
        { type: 'win' },
        { delay: 10 },
      ),
    },
    look: {
      actions: assign(({ context: { best, games, seen } }) => ({
        seen: [
          ...seen,
          Object.values(games)
            .map(ref => {
              const { status, context, output } = ref.getSnapshot()
              return `${ref.id} ${status} ${context.score} ${output?.medal}`
            })
            .join(),
          `${best?.id} is the same: ${best === Object.values(games).at(-1)}`,
        ],
      })),
    },
    forget: { actions: assign({ best: undefined, games: {} }) },
  },
})

await t.test('a reference outlives its child, on every node', async t => {
  const events = [
    { type: 'start', name: 'a' },
    { type: 'start', name: 'b' },
    { type: 'start', name: 'c' },
    { type: 'look' },
    { type: 'win', name: 'a' },
    { type: 'stop', name: 'b' },
    { type: 'look' },
    { type: 'poke', name: 'a' },
    { type: 'poke', name: 'b' },
    { type: 'pokeLate', name: 'a' },
    { type: 'look' },
    { type: 'win', name: 'c' },
    { type: 'start', name: 'a' }, // another child of the same id
    { type: 'look' },
  ] as const
  const live = createActor(league).start()
  const definition = fromMachine(league)
  const store = memory()
  const actors = [definition]
  for (const { type, ...data } of events) {
    live.send({ type, ...data } as never)
    // A node of its own for each event: every one wakes the actor.
    await using node = await startNode({ namespace: 'n', store, actors })
    const one = node.spawn(definition, 'one')
    const payload = Object.keys(data).length > 0 ? data : undefined
    t.match(await one.ask(type, payload as never), { ok: true }, type)
  }
  await using node = await startNode({ namespace: 'n', store, actors })
  const one = node.spawn(definition, 'one')
  const { state, version } = await one.state()
  t.strictSame(state.context.seen, live.getSnapshot().context.seen)
  t.match(Object.values(state.ended!), [{ id: 'b', status: 'stopped' }, { id: 'c' }])
  t.equal(state.timers, undefined, 'a delayed event to it is dropped')
  const again = await node.state({ type: definition.type, id: 'one' }, { version })
  t.strictSame(again.state, state, 'it is the same when it is replayed')
  await one.ask('forget')
  t.equal((await one.state()).state.ended, undefined, 'kept while it is referred to')
})
