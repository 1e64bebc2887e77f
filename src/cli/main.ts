#!/usr/bin/env node
// The program `cairn`: finds the command, and ends with a documented exit code.

import { isCairnError } from '../model/errors.js'
import { exitCode, exitCodeOf, explain, UsageError } from '../program/exit-codes.js'
import { commonFlagsHelp, isSet, parseFlags } from '../program/flags.js'
import type { CliCommand } from './command.js'
import { commandNames, loadCommand } from './commands.js'
import { complain, print } from './output.js'

const jsonFlag = { json: { type: 'boolean' } } as const

const exitHelp = `Exit codes: ${exitCode.ok} ok, ${exitCode.failed} refused or failed, ${exitCode.usage} usage, ${exitCode.unreachable} unreachable, ${exitCode.conflict} version conflict.`

async function overview(): Promise<string> {
  const width = Math.max(...commandNames.map(name => name.length))
  const lines = await Promise.all(
    commandNames.map(async name => {
      const { summary } = await commandOf(name)
      return `  ${name.padEnd(width)}  ${summary}`
    }),
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

async function commandOf(name: string): Promise<CliCommand> {
  const command = await loadCommand(name)
  if (command !== undefined) return command
  throw new UsageError(
    `cairn knows no command ${JSON.stringify(name)}; it knows ${commandNames.join(', ')}.`,
  )
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined)
    throw new UsageError(`No command is given: cairn knows ${commandNames.join(', ')}.`)
  if (name === 'help' || name === '--help') {
    const [topic] = args
    await print(topic === undefined ? await overview() : helpOf(await commandOf(topic)))
    return exitCode.ok
  }
  const command = await commandOf(name)
  const flags = parseFlags(args, { ...command.flags, ...jsonFlag })
  if (isSet(flags, 'help')) {
    await print(helpOf(command))
    return exitCode.ok
  }
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  // A reader that closes the pipe early (`cairn tail | head`) is no error.
  let isPipeClosed = false
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
    isPipeClosed = true
    interrupt()
  })
  try {
    return await command.run(flags, interrupted.signal)
  } catch (error) {
    if (isPipeClosed && isCairnError(error, 'aborted')) return exitCode.ok
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
