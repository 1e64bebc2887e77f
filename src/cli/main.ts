#!/usr/bin/env node
// The program `cairn`: one command a file, exit codes as documented.

import { isCairnError } from '../model/errors.js'
import { exitCode, exitCodeOf, explain, UsageError } from '../program/exit-codes.js'
import { commonFlagsHelp, isSet, parseFlags } from '../program/flags.js'
import { actor } from './actor.js'
import { actors } from './actors.js'
import { append } from './append.js'
import { ask } from './ask.js'
import { bench } from './bench.js'
import type { CliCommand } from './command.js'
import { dlq } from './dlq.js'
import { complain, print } from './output.js'
import { ensure } from './ensure.js'
import { messages } from './messages.js'
import { nodes } from './nodes.js'
import { projections } from './projections.js'
import { read } from './read.js'
import { send } from './send.js'
import { state } from './state.js'
import { tail } from './tail.js'
import { timers } from './timers.js'
import { verify } from './verify.js'

const commands: Readonly<Record<string, CliCommand>> = {
  ask,
  send,
  append,
  read,
  tail,
  state,
  actor,
  actors,
  messages,
  dlq,
  timers,
  projections,
  nodes,
  verify,
  ensure,
  bench,
}

const jsonFlag = { json: { type: 'boolean' } } as const

const exitHelp = `Exit codes: ${exitCode.ok} ok, ${exitCode.failed} refused or failed, ${exitCode.usage} usage, ${exitCode.unreachable} unreachable, ${exitCode.conflict} version conflict.`

function overview(): string {
  const width = Math.max(...Object.keys(commands).map(name => name.length))
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`,
  )
  return `Usage: cairn COMMAND --ns NS [flags]

${lines.join('\n')}

Flags of every command:
${commonFlagsHelp}  --json             one JSON object a line
  --help             help for a command, as "cairn help COMMAND"

${exitHelp}`
}

function helpOf(command: CliCommand): string {
  return `Usage: cairn ${command.usage}

${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.

${command.help ?? ''}${commonFlagsHelp}  --json             one JSON object a line

${exitHelp}`
}

function commandOf(name: string): CliCommand {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return command
  throw new UsageError(
    `cairn knows no command ${JSON.stringify(name)}; it knows ${Object.keys(commands).join(', ')}.`,
  )
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined)
    throw new UsageError(
      `No command is given: cairn knows ${Object.keys(commands).join(', ')}.`,
    )
  if (name === 'help' || name === '--help') {
    await print(args[0] === undefined ? overview() : helpOf(commandOf(args[0])))
    return exitCode.ok
  }
  const command = commandOf(name)
  const flags = parseFlags(args, { ...command.flags, ...jsonFlag })
  if (isSet(flags, 'help')) {
    await print(helpOf(command))
    return exitCode.ok
  }
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  // A reader that has had enough (`cairn tail | head`) is no error.
  let enough = false
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    enough = true
    interrupt()
  })
  try {
    return await command.run(flags, interrupted.signal)
  } catch (error) {
    if (enough && isCairnError(error, 'aborted')) return exitCode.ok
    throw error
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  complain(`cairn: ${explain(error)}`)
  if (error instanceof UsageError) complain('Try: cairn help, or cairn help COMMAND')
  process.exitCode = exitCodeOf(error)
}
