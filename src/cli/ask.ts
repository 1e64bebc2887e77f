// cairn ask: sends a command to an actor and prints its answer.

import { parseAddress } from '../model/address.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { AskOutcome } from '../model/command-sender.js'
import { exitCode } from '../program/exit-codes.js'
import { count, text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type CliCommand, parseJson, positionals, wantsJson } from './command.js'
import { complain, print, toJson } from './output.js'
import { reach, reachFlags, reachHelp } from './reach.js'

export const ask: CliCommand = {
  usage: 'ask TYPE/ID COMMAND [JSON] [--command-id ID] [--timeout MS]',
  summary: 'send a command to an actor and print its answer',
  flags: {
    'command-id': { type: 'string' },
    timeout: { type: 'string' },
    ...reachFlags,
  },
  help: `  --command-id ID    the command's id (default: a new one); sent again with the same id, a
                     command acts once and gets its first answer again
  --timeout MS       deadline (default 10000)
${reachHelp}`,
  async run(flags, signal) {
    const given = positionals(flags, ['TYPE/ID', 'COMMAND', 'JSON'], ['JSON'])
    const actor = parseAddress(given['TYPE/ID']!)
    const command = given.COMMAND!
    const data = parseJson(given.JSON)
    const commandId = text(flags, 'command-id') ?? newId()
    const timeout = count(flags, 'timeout')
    const limits = { signal, ...(timeout !== undefined && { timeout }) }
    const outcome = await reach<AskOutcome>(flags, {
      here: node => node.ask(actor, command, data, { commandId, ...limits }),
      there: async ({ transport }) => {
        const request = { kind: 'ask', actor, command, data, commandId } as const
        try {
          return (await transport.request(request, limits)) as AskOutcome
        } catch (error) {
          throw withId(error, commandId)
        }
      },
    })
    return printOutcome(`${given['TYPE/ID']}`, command, outcome, wantsJson(flags))
  },
}

/** Where the answer got lost on its way, only this process knows the id to ask again with. */
function withId(error: unknown, commandId: string): unknown {
  if (!isCairnError(error) || error.details.commandId !== undefined) return error
  const { code, message, details } = error
  const isOpen = ['aborted', 'answer-lost', 'deadline-exceeded'].includes(code)
  if (!isOpen) return error
  const hint = ` Ask again with --command-id ${commandId}: it acts once.`
  return new CairnError(code, message + hint, {
    cause: error,
    details: { ...details, commandId },
  })
}

async function printOutcome(
  actor: string,
  command: string,
  outcome: AskOutcome,
  json: boolean,
): Promise<number> {
  if (!outcome.ok) {
    const { version, rejection } = outcome
    if (json) await print(toJson({ version, rejection }))
    complain(`${actor} refused ${command}: ${rejection.message} [${rejection.code}]`)
    return exitCode.failed
  }
  const { version, position, reply, duplicate } = outcome
  await print(
    json
      ? toJson({ version, position, reply: reply ?? null, duplicate })
      : plain(
          `${actor} ${duplicate ? 'was' : 'is'} at version ${version} (position ${position}): ` +
            `${toJson(reply ?? null)}${duplicate ? ', answered before' : ''}`,
        ),
  )
  return exitCode.ok
}
