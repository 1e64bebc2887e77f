// cairn send: stores a command for an actor, whether or not a node is there to carry it out.

import { parseAddress } from '../model/address.js'
import { systemClock } from '../model/clock.js'
import { newId } from '../model/id.js'
import { exitCode } from '../program/exit-codes.js'
import { text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { putCommand } from '../delivery/commands/stored-commands.js'
import {
  type CliCommand,
  parseJson,
  positionals,
  wantsJson,
  withNamespace,
} from './command.js'
import { print, toJson } from './output.js'

export const send: CliCommand = {
  usage: 'send TYPE/ID COMMAND [JSON] [--command-id ID]',
  summary: 'store a command for an actor, to be carried out when a node is there',
  flags: { 'command-id': { type: 'string' } },
  help: `  --command-id ID    the command's id (default: a new one); sent again with the same id, a
                     command acts once
`,
  run(flags, signal) {
    const given = positionals(flags, ['TYPE/ID', 'COMMAND', 'JSON'], ['JSON'])
    const actor = parseAddress(given['TYPE/ID']!)
    const command = given.COMMAND!
    const data = parseJson(given.JSON)
    const options = { signal, commandId: text(flags, 'command-id') ?? newId() }
    return withNamespace(flags, async ({ queues, partitions }, nodeId) => {
      const from = { nodeId, clock: systemClock }
      const receipt = await putCommand(
        queues.inbox,
        partitions,
        from,
        actor,
        command,
        data,
        options,
      )
      const { commandId, position, duplicate } = receipt
      await print(
        wantsJson(flags)
          ? toJson({ commandId, position, duplicate })
          : plain(
              `${command} for ${given['TYPE/ID']} ${duplicate ? 'was stored before' : 'is stored'} as ${commandId} (inbox position ${position})`,
            ),
      )
      return exitCode.ok
    })
  },
}
