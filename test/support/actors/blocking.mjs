// An actor that blocks the event loop of its node.

import { defineActor, event } from 'cairn-es'

export const blocker = defineActor({
  type: 'blocker',
  initialState: 0,
  decide: {
    block: (_state, { ms }) => {
      const end = performance.now() + ms
      while (performance.now() < end);
      return event('blocked')
    },
  },
  evolve: { blocked: state => state + 1 },
})
