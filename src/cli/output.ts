// The output of the command line: data to stdout, one JSON object a line with --json, readable lines
// without; everything else to stderr.

import { toJson } from '../codec/json.js'
import type { ParsedFlags } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { wantsJson } from './command.js'
import { clearLine, type Style, styled, terminalOf } from './terminal.js'

/**
 * Writes one line; resolves when the pipe has room again, or its reader has closed it. On a terminal it takes the place of
 * progress that is shown there.
 */
export function print(line: string): Promise<void> {
  const { stdout } = process
  return new Promise(resolve => {
    if (stdout.write(`${stdout.isTTY ? clearLine : ''}${line}\n`)) return resolve()
    const proceed = () => {
      for (const event of ['drain', 'close', 'error']) stdout.off(event, proceed)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) stdout.on(event, proceed)
  })
}

/** Prints an object with --json, else the lines that show it. */
export async function printRow(
  flags: ParsedFlags,
  view: object,
  ...lines: readonly string[]
): Promise<void> {
  if (wantsJson(flags)) return print(toJson(view))
  for (const line of lines) await print(plain(line))
}

/** Writes to stderr. */
export function complain(message: string, style?: Style): void {
  const { stderr } = process
  const text = styled(terminalOf(stderr), style, plain(message))
  stderr.write(`${stderr.isTTY ? clearLine : ''}${text}\n`)
}
