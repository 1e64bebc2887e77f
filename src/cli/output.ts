// The output of the command line: data to stdout, one JSON object a line with --json, readable lines
// without; everything else to stderr.

import { toJson } from '../codec/json.js'
import type { MalformedRecord } from '../model/commit.js'
import type { RecordedEvent } from '../model/event.js'
import type { ParsedFlags } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { eventView, malformedView } from '../runtime/views/event.js'
import { wantsJson } from './command.js'

/** Writes one line; resolves when the pipe has room again, or its reader has closed it. */
export function print(line: string): Promise<void> {
  const { stdout } = process
  return new Promise(resolve => {
    if (stdout.write(`${line}\n`)) return resolve()
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
export function complain(message: string): void {
  process.stderr.write(`${plain(message)}\n`)
}

/** Prints an event, or a record that cannot be read. */
export function printItem(
  flags: ParsedFlags,
  item: RecordedEvent | MalformedRecord,
): Promise<void> {
  if (item.kind === 'malformed') {
    const line = `${item.position}  MALFORMED  ${item.source}: ${item.reason}`
    return printRow(flags, malformedView(item), line)
  }
  const view = eventView(item)
  const { position, at, actor, version, type, data } = view
  const line = `${position}  ${at}  ${actor}  v${version}  ${type}  ${toJson(data)}`
  return printRow(flags, view, line)
}
