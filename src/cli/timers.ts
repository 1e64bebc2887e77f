// cairn timers: the pending timers.

import { parseAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import { toJson } from '../codec/json.js'
import { exitCode } from '../program/exit-codes.js'
import { timerView } from '../runtime/views/timer.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { Table } from './table.js'

export const timers: CliCommand = {
  usage: 'timers [TYPE/ID]',
  flags: {},
  run(flags, signal) {
    const { 'TYPE/ID': name } = positionals(flags, [], ['TYPE/ID'])
    const actor = name === undefined ? undefined : parseAddress(name)
    return withNamespace(flags, async open => {
      const options = { signal, ...defined({ actor }) }
      const table = new Table<TimerView>(flags, {
        columns: [
          { title: 'due', text: row => row.due },
          { title: 'actor', text: row => row.actor },
          { title: 'timer', text: row => row.name },
          { title: 'command', text: row => row.command },
          {
            title: 'every',
            text: ({ every }) => (every === undefined ? '' : `${every} ms`),
          },
          { title: 'data', text: row => toJson(row.data) },
        ],
        line: lineOf,
        empty: `No timer is set${name === undefined ? ' in this namespace' : ` for ${name}`}.`,
      })
      for await (const timer of open.timers.list(options))
        await table.row(timerView(timer))
      await table.end()
      return exitCode.ok
    })
  },
}

type TimerView = ReturnType<typeof timerView>

function lineOf(timer: TimerView): string {
  const { actor, name, due, every, command, data } = timer
  const repeats = every === undefined ? '' : `  every ${every} ms`
  return `${due}  ${actor}  ${name}  ${command}  ${toJson(data)}${repeats}`
}
