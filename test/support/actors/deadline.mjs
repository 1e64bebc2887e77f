// A machine with a deadline of three seconds.

import { fromMachine } from 'cairn-es'
import { setup } from 'xstate'

export const deadline = fromMachine(
  setup({ delays: { deadline: 3_000 } }).createMachine({
    id: 'deadline',
    initial: 'idle',
    states: {
      idle: { on: { begin: 'waiting' } },
      waiting: { after: { deadline: 'over' } },
      over: { type: 'final' },
    },
  }),
)
