// A machine that waits for an hour, and has a child machine that waits for two.

import { fromMachine } from 'cairn-es'
import { setup } from 'xstate'

const cup = setup({ delays: { cold: 7_200_000 } }).createMachine({
  id: 'cup',
  initial: 'hot',
  states: { hot: { after: { cold: 'cold' } }, cold: {} },
})

export const tea = fromMachine(
  setup({ actors: { cup }, delays: { drawn: 3_600_000 } }).createMachine({
    id: 'tea',
    initial: 'dry',
    states: {
      dry: { on: { pour: 'drawing' } },
      drawing: {
        invoke: { src: 'cup', id: 'cup' },
        after: { drawn: 'ready' },
        on: { stir: { actions: () => {} } },
      },
      ready: {},
    },
  }),
)
