// The help of the command line.

import { exitCode } from '../program/exit-codes.js'
import { commonFlagsHelp } from '../program/flags.js'
import type { CliCommand } from './command.js'
import { commandGroups, commandNames, summaryOf } from './commands.js'

const exitHelp = `Exit codes: ${exitCode.ok} ok, ${exitCode.failed} refused or failed, ${exitCode.usage} usage, ${exitCode.unreachable} unreachable, ${exitCode.conflict} version conflict.`

/** With the one that only doctor has. */
const allExitsHelp = exitHelp.replace(
  /\.$/,
  `, ${exitCode.watch} to be watched (doctor).`,
)

const jsonHelp = `  --json             one JSON object a line
`

export function overview(): string {
  const width = Math.max(...commandNames.map(name => name.length))
  const groups = commandGroups.map(([title, names]) => {
    const lines = names.map(name => `  ${name.padEnd(width)}  ${summaryOf(name)}`)
    return `${title}:\n${lines.join('\n')}`
  })
  return `Usage: cairn COMMAND --ns NS [flags]

${groups.join('\n\n')}

Flags of every command:
${commonFlagsHelp}${jsonHelp}  -h, --help         help for a command, as "cairn help COMMAND"
  -v, --version      the version of Cairn

Flags come first, then the environment, then a cairn.config file of the current directory. On a terminal there are tables
and colours (NO_COLOR turns these off), in a pipe there is plain text.

${allExitsHelp}`
}

export function helpOf(name: string, command: CliCommand): string {
  const summary = summaryOf(name)
  return `Usage: cairn ${command.usage}

${summary[0]!.toUpperCase()}${summary.slice(1)}.

${command.help ?? ''}${commonFlagsHelp}${command.isProgram === true ? '' : jsonHelp}
${command.exits ?? exitHelp}`
}
