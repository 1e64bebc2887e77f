// cairn read: an actor's events.

import { parseAddress } from '../model/address.js'
import { exitCode } from '../program/exit-codes.js'
import { count, isSet } from '../program/flags.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { printItem } from './output.js'

export const read: CliCommand = {
  usage: 'read TYPE/ID [--from V] [--to V] [--limit N] [--backwards]',
  summary: "print an actor's events",
  flags: {
    from: { type: 'string' },
    to: { type: 'string' },
    limit: { type: 'string' },
    backwards: { type: 'boolean' },
  },
  help: `  --from V, --to V   first and last version wanted
  --limit N          events at most
  --backwards        newest first
`,
  run(flags, signal) {
    const given = positionals(flags, ['TYPE/ID'])
    const actor = parseAddress(given['TYPE/ID']!)
    const [from, to, limit] = [
      count(flags, 'from'),
      count(flags, 'to'),
      count(flags, 'limit'),
    ]
    const options = {
      signal,
      backwards: isSet(flags, 'backwards'),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      ...(limit !== undefined && { limit }),
    }
    return withNamespace(flags, async ({ store }) => {
      for await (const item of store.read(actor, options))
        await printItem(item, wantsJson(flags))
      return exitCode.ok
    })
  },
}
