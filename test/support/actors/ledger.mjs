// An actor that is asked by number, and remembers hardly any command: what it recognises
// beyond its last two is found in its log.
import { defineActor, event } from 'cairn-es'

export const ledger = defineActor({
  type: 'ledger',
  commandWindow: { commands: 2, ms: 600_000 },
  initialState: { entries: 0 },
  decide: { deposit: (_state, { amount }) => event('deposited', { amount }) },
  evolve: { deposited: state => ({ entries: state.entries + 1 }) },
})
