// cairn timers: the pending timers.

import { formatAddress, parseAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import type { Timer } from '../model/timer.js'
import { exitCode } from '../program/exit-codes.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { isoTime, printRow, toJson } from './output.js'

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
        const view = viewOf(timer)
        await printRow(flags, view, lineOf(view))
      }
      return exitCode.ok
    })
  },
}

function viewOf(timer: Timer) {
  const { actor, name, at, every, skipAfter, type, data, occurrence } = timer
  return {
    actor: formatAddress(actor),
    name,
    due: isoTime(at),
    ...(every !== undefined && { every, occurrence }),
    ...defined({ skipAfter }),
    command: type,
    data: data ?? null,
  }
}

function lineOf(timer: ReturnType<typeof viewOf>): string {
  const { actor, name, due, every, command, data } = timer
  const repeats = every === undefined ? '' : `  every ${every} ms`
  return `${due}  ${actor}  ${name}  ${command}  ${toJson(data)}${repeats}`
}
