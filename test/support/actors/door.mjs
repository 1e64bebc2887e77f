// A machine that has changed, in one way or another: DOOR says how.

import { defineActor, event, fromMachine } from 'cairn-es'
import { createMachine } from 'xstate'

const how = process.env['DOOR'] ?? 'first'
const open = how === 'renamed' || how === 'migrated' ? 'unlock' : 'open'
/** @type {import('cairn-es/xstate').MachineMigration} */
const migrate = ({ type, ...rest }) =>
  type === 'open' ? { ...rest, type: 'unlock' } : undefined

export const door = fromMachine(
  createMachine({
    id: 'door',
    initial: 'shut',
    states: {
      shut: { on: { [open]: how === 'secretly' ? 'ajar' : 'wide', knock: 'shut' } },
      wide: { on: { shut: 'shut' } },
      ajar: { on: { shut: 'shut' } },
    },
  }),
  {
    version: how === 'first' || how === 'secretly' ? 1 : 2,
    ...(how === 'migrated' && { migrate }),
  },
)

export const bell = defineActor({
  type: 'bell',
  initialState: 0,
  decide: { ring: () => event('rung') },
  evolve: how === 'renamed' ? { chimed: n => n + 1 } : { rung: n => n + 1 },
})
