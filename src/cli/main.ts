#!/usr/bin/env node
// The program `cairn`: finds the command, and ends with a documented exit code.

import { isCairnError } from '../model/errors.js'
import { didYouMean } from '../model/nearest.js'
import { programs } from '../model/programs.js'
import { exitCode, exitCodeOf, explain, UsageError } from '../program/exit-codes.js'
import { isSet, parseFlags, withConfig } from '../program/flags.js'
import { packageVersion } from '../runtime/package-version.js'
import type { CliCommand } from './command.js'
import { commandNames, loadCommand, summaryOf } from './commands.js'
import { helpOf, overview } from './help.js'
import { complain, print } from './output.js'
import { toJson } from '../codec/json.js'
import { Progress } from './progress.js'

const jsonFlag = { json: { type: 'boolean' } } as const

async function commandOf(name: string): Promise<CliCommand> {
  const command = await loadCommand(name)
  if (command !== undefined) return command
  if (name.startsWith('-'))
    throw new UsageError(
      `${JSON.stringify(name)} stands where a command is expected: the command comes first, as in "${programs.cairn} status --ns NS".${didYouMean(name, ['--help', '--version'])}`,
    )
  throw new UsageError(
    `cairn knows no command ${JSON.stringify(name)}; it knows ${commandNames.join(', ')}.${didYouMean(name, [...commandNames, 'help'])}`,
  )
}

async function main([name = 'help', ...args]: readonly string[]): Promise<number> {
  if (name === '--version' || name === '-v') {
    const version = packageVersion
    await print(
      args.includes('--json')
        ? toJson({ version, node: process.version })
        : `cairn ${version}`,
    )
    return exitCode.ok
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    const [topic] = args
    const isOverview = topic === undefined || topic === 'help'
    await print(isOverview ? overview() : helpOf(topic, await commandOf(topic)))
    return exitCode.ok
  }
  const command = await commandOf(name)
  const ownJson = command.isProgram === true ? {} : jsonFlag
  const given = parseFlags(args, { ...command.flags, ...ownJson })
  if (isSet(given, 'help')) {
    await print(helpOf(name, command))
    return exitCode.ok
  }
  const flags = await withConfig(given)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  if (command.isProgram !== true) {
    process.once('SIGINT', interrupt)
    process.once('SIGTERM', interrupt)
  }
  // A reader that closes the pipe early (`cairn tail | head`) is no error.
  let isPipeClosed = false
  process.stdout.on('error', error => {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') {
      complain(`cairn: What it prints cannot be written: ${error.message}.`, 'red')
      process.exit(exitCode.failed)
    }
    isPipeClosed = true
    interrupt()
  })
  const { isLong = false } = command
  using progress = new Progress(`cairn ${name}`, { isLong })
  if (command.isLive === true || command.isProgram === true) progress.pause()
  try {
    return await command.run(flags, interrupted.signal, progress, {
      names: commandNames,
      load: loadCommand,
      summaryOf,
    })
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
  complain(`cairn: ${explain(error)}`, 'red')
  if (error instanceof UsageError) {
    const [name = ''] = process.argv.slice(2)
    const topic = commandNames.includes(name) ? ` ${name}` : ''
    complain(`Try: ${programs.cairn} help${topic}`)
  }
  process.exitCode = exitCodeOf(error)
}
