// cairn timers: the pending timers.

import { parseAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import { toJson } from '../codec/json.js'
import { exitCode } from '../program/exit-codes.js'
import { timerView } from '../runtime/views/timer.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { printRow } from './output.js'

export const timers: CliCommand = {
  usage: 'timers [TYPE/ID]',
  summary: 'list the pending timers, of all actors or of one',
  flags: {},
  run(flags, signal) {
    const { 'TYPE/ID': name } = positionals(flags, [], ['TYPE/ID'])
    const actor = name === undefined ? undefined : parseAddress(name)
    return withNamespace(flags, async open => {
      const options = { signal, ...defined({ actor }) }
      for await (const timer of open.timers.list(options)) {
        const view = timerView(timer)
        await printRow(flags, view, lineOf(view))
      }
      return exitCode.ok
    })
  },
}

function lineOf(timer: ReturnType<typeof timerView>): string {
  const { actor, name, due, every, command, data } = timer
  const repeats = every === undefined ? '' : `  every ${every} ms`
  return `${due}  ${actor}  ${name}  ${command}  ${toJson(data)}${repeats}`
}
