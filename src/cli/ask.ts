// cairn ask: sends a command to an actor and prints its answer.

import { CairnError, isCairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { AskOutcome } from '../model/command-sender.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { type ParsedFlags, textFlag } from '../program/flags.js'
import { boundsOf, type CliCommand, commandArguments, wantsJson } from './command.js'
import { complain, print, printRow } from './output.js'
import { toJson } from '../codec/json.js'
import { reach, reachFlags, reachHelp } from './reach.js'

export const ask: CliCommand = {
  usage: 'ask TYPE/ID COMMAND [JSON] [--command-id ID] [--expect VERSION] [--timeout MS]',
  flags: {
    'command-id': { type: 'string' },
    expect: { type: 'string' },
    timeout: { type: 'string' },
    ...reachFlags,
  },
  help: `  --command-id ID    the command's id (default: a new one); sent again with the same id, a
                     command acts once and gets its first answer again
  --expect VERSION   the version the actor must be at (default: any)
  --timeout MS       deadline (default 10000)
${reachHelp}`,
  async run(flags, signal) {
    const { name, actor, command, data } = commandArguments(flags)
    const commandId = textFlag(flags, 'command-id') ?? newId()
    const expectedVersion = expectedOf(flags)
    const expecting = expectedVersion === undefined ? {} : { expectedVersion }
    const bounds = boundsOf(flags, signal)
    const outcome = await reach<AskOutcome>(
      flags,
      {
        here: node =>
          node.ask(actor, command, data, { commandId, ...expecting, ...bounds }),
        there: async ({ transport }) => {
          const asked = { actor, command, data, commandId, ...expecting }
          const request = { kind: 'ask', ...asked } as const
          try {
            return (await transport.request(request, bounds)) as AskOutcome
          } catch (error) {
            throw withId(error, commandId)
          }
        },
      },
      { type: actor.type, signal },
      { create: true },
    )
    return printOutcome(name, command, outcome, flags)
  },
}

/** The version that the actor must be at; `undefined` for any. */
function expectedOf(flags: ParsedFlags): number | undefined {
  const value = textFlag(flags, 'expect')
  if (value === undefined || /^\d{1,15}$/.test(value))
    return value === undefined ? undefined : Number(value)
  throw new UsageError(
    `--expect is ${JSON.stringify(value)}: use a whole number from 0, the version that the actor must be at.`,
  )
}

/** Names the command's id where the outcome is unknown: only this process knows the id. */
function withId(error: unknown, commandId: string): unknown {
  if (!isCairnError(error) || error.details.commandId !== undefined) return error
  const { code, message, details } = error
  const isUnknown = ['aborted', 'answer-lost', 'outcome-unknown'].includes(code)
  if (!isUnknown) return error
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
  flags: ParsedFlags,
): Promise<number> {
  if (!outcome.ok) {
    const { version, rejection } = outcome
    if (flags.values['expect'] !== undefined && rejection.code === 'version-conflict') {
      await print(toJson(rejection.details))
      complain(`${actor} refused ${command}: ${rejection.message} Nothing was stored.`)
      return exitCode.conflict
    }
    if (wantsJson(flags)) await print(toJson({ version, rejection }))
    complain(`${actor} refused ${command}: ${rejection.message} [${rejection.code}]`)
    return exitCode.failed
  }
  const { version, position, reply, duplicate } = outcome
  await printRow(
    flags,
    { version, position, reply: reply ?? null, duplicate },
    `${actor} ${duplicate ? 'was' : 'is'} at version ${version} (position ${position})` +
      (reply === undefined ? '' : `: ${toJson(reply)}`) +
      (duplicate ? ', answered before' : ''),
  )
  return exitCode.ok
}
