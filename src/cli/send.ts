// cairn send: stores a command for an actor, whether a node runs or not.

import type { CheckRequest, Transport } from '../cluster/transport.js'
import { systemClock } from '../model/clock.js'
import { isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { throwIfAborted } from '../model/wait.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import { storeCommand } from '../delivery/messages/store-command.js'
import { type CliCommand, commandArguments, withNamespace } from './command.js'
import { complain, printRow } from './output.js'

export const send: CliCommand = {
  usage: 'send TYPE/ID COMMAND [JSON] [--command-id ID]',
  flags: { 'command-id': { type: 'string' } },
  help: `  --command-id ID    the command's id (default: a new one); sent again with the same id, a
                     command acts once

A node that hosts the type checks the command first. While there is none, the command is stored as it is, and checked
when it is handled.

`,
  run(flags, signal) {
    const { name, actor, command, data } = commandArguments(flags)
    const given = textFlag(flags, 'command-id')
    const options = { signal, ...(given !== undefined && { commandId: given }) }
    return withNamespace(
      flags,
      async ({ queues, partitions, store, transport }, nodeId) => {
        const isChecked = await check(
          transport,
          { kind: 'check', actor, command, data },
          signal,
        )
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
        if (!isChecked)
          complain(
            `No node that hosts ${actor.type} has checked it: it waits until one runs.`,
          )
        return exitCode.ok
      },
      { create: true },
    )
  },
}

/** Milliseconds. */
const checkTimeout = 2_000

/**
 * Throws what a node that hosts the type has against the command; resolves with whether there is one. Without an answer
 * nothing is known against the command.
 */
async function check(
  transport: Transport,
  request: CheckRequest,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await transport.request(request, { signal, timeout: checkTimeout })
    return true
  } catch (error) {
    const isOlder = isCairnError(error) && error.details.kind === request.kind
    const isRefused =
      isCairnError(error, 'unknown-command') || isCairnError(error, 'invalid-command')
    if (isRefused && !isOlder) throw error
    throwIfAborted(signal, `sending ${show(request.command)}`)
    return isOlder
  }
}
