// cairn send: stores a command for an actor, whether a node runs or not.

import { systemClock } from '../model/clock.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import { storeCommand } from '../delivery/messages/store-command.js'
import { type CliCommand, commandArguments, withNamespace } from './command.js'
import { printRow } from './output.js'

export const send: CliCommand = {
  usage: 'send TYPE/ID COMMAND [JSON] [--command-id ID]',
  summary: 'store a command for an actor, which it handles once a node hosts it',
  flags: { 'command-id': { type: 'string' } },
  help: `  --command-id ID    the command's id (default: a new one); sent again with the same id, a
                     command acts once
`,
  run(flags, signal) {
    const { name, actor, command, data } = commandArguments(flags)
    const given = textFlag(flags, 'command-id')
    const options = { signal, ...(given !== undefined && { commandId: given }) }
    return withNamespace(
      flags,
      async ({ queues, partitions, store }, nodeId) => {
        const from = { nodeId, clock: systemClock, store }
        const { inbox } = queues
        const { commandId, position, duplicate } = await storeCommand(
          inbox,
          partitions,
          from,
          actor,
          command,
          data,
          options,
        )
        await printRow(
          flags,
          { commandId, position, duplicate },
          `${command} for ${name} ${duplicate ? 'was stored before' : 'is stored'} as ${commandId} (inbox position ${position})`,
        )
        return exitCode.ok
      },
      { create: true },
    )
  },
}
