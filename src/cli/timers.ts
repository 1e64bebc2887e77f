// cairn timers: which timers wait.

import { formatAddress, parseAddress } from '../model/address.js'
import type { Timer } from '../model/timer.js'
import { exitCode } from '../program/exit-codes.js'
import { plain } from '../program/plain.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { print, toJson } from './output.js'

export const timers: CliCommand = {
  usage: 'timers [TYPE/ID]',
  summary: 'list the timers that wait, of all actors or of one',
  flags: {},
  run(flags, signal) {
    const { address } = positionals(flags, ['address'], ['address'])
    const actor = address === undefined ? undefined : parseAddress(address)
    return withNamespace(flags, async open => {
      const options = { signal, ...(actor !== undefined && { actor }) }
      for await (const timer of open.timers.list(options)) {
        const shown = view(timer)
        await print(wantsJson(flags) ? toJson(shown) : plain(lineOf(shown)))
      }
      return exitCode.ok
    })
  },
}

function view(timer: Timer) {
  const { actor, name, at, every, skipAfter, type, data, occurrence } = timer
  return {
    actor: formatAddress(actor),
    name,
    due: new Date(at).toISOString(),
    ...(every !== undefined && { every, occurrence }),
    ...(skipAfter !== undefined && { skipAfter }),
    command: type,
    data: data ?? null,
  }
}

function lineOf(timer: ReturnType<typeof view>): string {
  const { actor, name, due, every, command, data } = timer
  const again = every === undefined ? '' : `  every ${every} ms`
  return `${due}  ${actor}  ${name}  ${command}  ${toJson(data)}${again}`
}
