// Machines that would never come to rest: each loop is an error of its command, nothing of it is stored, and the node
// and the next owner go on.

import t from 'tap'
import {
  type AnyStateMachine,
  assign,
  createMachine,
  fromPromise,
  raise,
  setup,
} from 'xstate'

import { embedded } from '../../src/backend/embedded.js'
import { memory } from '../../src/backend/memory.js'
import { fromMachine } from '../../src/machine/from-machine.js'
import { startNode } from '../../src/runtime/start-node.js'
import { until } from '../support/wait.js'
import { pinoLines } from './support.js'

const patience = { timeout: 60_000 }

/** Three states in a ring, entered by `go`. */
const ring = {
  one: { always: 'two' },
  two: { always: 'three' },
  three: { always: 'one' },
}

const loops: readonly (readonly [AnyStateMachine, RegExp])[] = [
  [
    createMachine({
      id: 'ring',
      initial: 'idle',
      states: { idle: { on: { go: 'one' } }, ...ring },
    }),
    /machine ring does not come to rest in state "\w+".*more than 5,000.*"two" → "three" \(always\)|"three" → "one" \(always\)|"one" → "two" \(always\)/,
  ],
  [
    createMachine({
      id: 'echo',
      initial: 'idle',
      states: {
        idle: { on: { go: 'on' } },
        on: {
          entry: raise({ type: 'again' }),
          on: { again: { target: 'on', reenter: true } },
        },
      },
    }),
    /machine echo .* in state "on".*"on" → "on" \(on "again"\)/,
  ],
  [
    setup({ types: { context: {} as { n: number } } }).createMachine({
      id: 'count',
      context: { n: 0 },
      on: { go: { actions: assign({ n: 1 }) } },
      always: {
        guard: ({ context }) => context.n > 0,
        actions: assign({ n: ({ context }) => context.n + 1 }),
      },
    }),
    /machine count .*\(always\)/,
  ],
  [
    createMachine({
      id: 'regions',
      initial: 'idle',
      states: {
        idle: { on: { go: 'both' } },
        both: {
          type: 'parallel',
          states: {
            left: { initial: 'one', states: ring },
            right: { initial: 'calm', states: { calm: {} } },
          },
        },
      },
    }),
    /machine regions .*"left":"one"/,
  ],
  [
    createMachine({
      id: 'own',
      options: { maxIterations: 40 },
      initial: 'idle',
      states: { idle: { on: { go: 'one' } }, ...ring },
    }),
    /machine own .*more than 40 transitions/,
  ],
  [
    setup({
      actors: { kid: createMachine({ id: 'kid', initial: 'one', states: ring }) },
    }).createMachine({
      id: 'parent',
      initial: 'idle',
      states: { idle: { on: { go: 'busy' } }, busy: { invoke: { id: 'k', src: 'kid' } } },
    }),
    /machine kid does not come to rest/,
  ],
  [
    createMachine({ id: 'born', initial: 'one', states: ring, on: { go: '.one' } }),
    /machine born does not come to rest/,
  ],
]

for (const [machine, message] of loops)
  await t.test(`a loop ends with an error: ${machine.id}`, async t => {
    const definition = fromMachine(machine)
    await using node = await startNode({
      namespace: 'n',
      store: memory(),
      actors: [definition],
    })
    const actor = { type: machine.id, id: '1' }
    await t.rejects(node.ask(actor, 'go'), { code: 'decide-failed', message })
    t.equal((await node.state(actor)).version, 0, 'nothing is stored')
  })

await t.test('a machine that comes to rest in time is not stopped', async t => {
  const far = (to: number, options = {}) =>
    fromMachine(
      setup({ types: { context: {} as { n: number } } }).createMachine({
        id: 'far',
        options,
        context: { n: 0 },
        on: { go: { actions: assign({ n: 1 }) } },
        always: {
          guard: ({ context }) => context.n > 0 && context.n < to,
          actions: assign({ n: ({ context }) => context.n + 1 }),
        },
      }),
    )
  for (const [to, options] of [
    [4_990, {}],
    [7_000, { maxIterations: 7_100 }],
  ] as const) {
    const definition = far(to, options)
    await using node = await startNode({
      namespace: 'n',
      store: memory(),
      actors: [definition],
    })
    await node.spawn(definition, '1').ask('go' as never)
    t.match((await node.spawn(definition, '1').state()).state.context, { n: to })
  }
})

await t.test(
  'a durable command into a loop harms no owner, and becomes a dead letter',
  async t => {
    const definition = fromMachine(loops[0]![0])
    const store = embedded({ dir: t.testdir() })
    const start = () => startNode({ namespace: 'n', store, actors: [definition] })
    const first = await start()
    await first.spawn(definition, '1').send('go' as never)
    await first.close({ timeout: 0 })
    await using second = await start()
    await until(async () => {
      for await (const letter of second.deadLetters.list()) return letter !== undefined
      return false
    }, patience)
    t.match(await second.spawn(definition, '1').state(), {
      version: 0,
      state: { value: 'idle' },
    })
  },
)

await t.test(
  'a delay and the end of a child that lead into a loop store nothing',
  async t => {
    const { log, lines } = pinoLines()
    const states = (busy: object) => ({ idle: { on: { go: 'busy' } }, busy, ...ring })
    const late = fromMachine(
      createMachine({
        id: 'late',
        initial: 'idle',
        states: states({ after: { 1: 'one' } }),
      } as never),
    )
    const done = fromMachine(
      setup({ actors: { work: fromPromise(async () => 7) } }).createMachine({
        id: 'done',
        initial: 'idle',
        states: states({
          invoke: { id: 'w', src: 'work', onDone: 'one', onError: 'idle' },
        }),
      } as never) as unknown as AnyStateMachine,
    )
    const store = memory()
    await using node = await startNode({
      namespace: 'n',
      store,
      actors: [late, done],
      log,
    })
    for (const type of ['late', 'done']) {
      const actor = { type, id: '1' }
      await node.ask(actor, 'go')
      const isTold = () =>
        lines().some(({ msg }) => msg.includes(`machine ${type} does not come to rest`))
      await until(isTold, patience)
      t.match(await node.state(actor), { version: 2, state: { value: 'busy' } })
    }
  },
)
