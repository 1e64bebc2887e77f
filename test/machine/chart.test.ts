// The statechart of a type, as those who draw it get it.

import { fromPromise, setup } from 'xstate'
import t from 'tap'

import { fromMachine } from '../../src/doors/xstate.js'
import { chartOf, type ChartState } from '../../src/machine/chart.js'
import { defineActor } from '../../src/index.js'

const lamp = fromMachine(
  setup({
    actors: { warmUp: fromPromise(async () => 1) },
    guards: { isAllowed: () => true },
    actions: { count: () => {} },
  }).createMachine({
    id: 'lamp',
    initial: 'off',
    states: {
      off: {
        on: {
          press: { target: 'on', guard: 'isAllowed' },
          touch: { actions: 'count' },
        },
      },
      on: {
        type: 'parallel',
        tags: 'bright',
        invoke: { src: 'warmUp', onDone: 'off' },
        after: { 5_000: 'off' },
        states: {
          color: { initial: 'red', states: { red: { always: 'blue' }, blue: {} } },
          level: {},
        },
      },
      broken: { type: 'final' },
    },
  }),
)

await t.test('a chart has the states and transitions of the machine', async t => {
  const chart = chartOf(lamp)!
  t.match(chart, { id: 'lamp', key: 'lamp', type: 'compound', initial: 'lamp.off' })
  const [off, on, broken] = chart.states as [ChartState, ChartState, ChartState]
  t.strictSame(off.transitions, [
    { event: 'press', targets: ['lamp.on'], guard: 'isAllowed', actions: [] },
    { event: 'touch', targets: [], actions: ['count'] },
  ])
  t.match(on, { type: 'parallel', tags: ['bright'], invokes: ['warmUp'] })
  const delayed = on.transitions.find(({ delay }) => delay !== undefined)
  t.match(delayed, { targets: ['lamp.off'], delay: 5_000 })
  const [color] = on.states
  t.equal(color?.initial, 'lamp.on.color.red')
  t.match(color?.states[0]?.transitions, [{ event: '', targets: ['lamp.on.color.blue'] }])
  t.strictSame(broken.transitions, [])
  t.strictSame(JSON.parse(JSON.stringify(chart)), chart, 'it is plain data')
})

await t.test('a type that is no machine has none', async t => {
  const plain = defineActor({ type: 'plain', initialState: 0, decide: {}, evolve: {} })
  t.equal(chartOf(plain), undefined)
})
