// cairn read: prints an actor's events.

import { formatAddress, parseAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import { exitCode } from '../program/exit-codes.js'
import { countFlag, isSet } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { itemView } from '../runtime/views/event.js'
import { itemTable } from './items.js'

export const read: CliCommand = {
  usage: 'read TYPE/ID [--from V] [--to V] [--limit N] [--backwards]',
  flags: {
    from: { type: 'string' },
    to: { type: 'string' },
    limit: { type: 'string' },
    backwards: { type: 'boolean' },
  },
  help: `  --from V, --to V   first and last version
  --limit N          no more than N events
  --backwards        newest first
`,
  run(flags, signal) {
    const actor = parseAddress(positionals(flags, ['TYPE/ID'])['TYPE/ID'])
    const from = countFlag(flags, 'from')
    const to = countFlag(flags, 'to')
    const limit = countFlag(flags, 'limit', 1)
    const options = {
      signal,
      backwards: isSet(flags, 'backwards'),
      ...defined({ from, to, limit }),
    }
    return withNamespace(flags, async ({ store }) => {
      const name = formatAddress(actor)
      const table = itemTable(flags, {
        empty: `${name} has no ${from === undefined && to === undefined ? '' : 'such '}events.`,
      })
      for await (const item of store.read(actor, options)) await table.row(itemView(item))
      await table.end()
      return exitCode.ok
    })
  },
}
