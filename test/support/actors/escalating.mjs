// An actor that no node is to go on without.

import { defineActor, event } from 'cairn-es'

export const vault = defineActor({
  type: 'vault',
  initialState: 0,
  decide: { put: (_state, amount) => event('put', amount) },
  evolve: { put: (state, amount) => state + amount },
  supervision: { onFailure: 'escalate' },
})
