// cairn tail: prints events as they are stored.

import { checkActorType } from '../model/address.js'
import { exitCode } from '../program/exit-codes.js'
import { countFlag, textFlags } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { itemsOf, itemView } from '../runtime/views/event.js'
import { itemTable } from './items.js'
import { complain } from './output.js'

export const tail: CliCommand = {
  usage: 'tail [--type T]… [--after POSITION] [--limit N]',
  isLive: true,
  flags: {
    type: { type: 'string', multiple: true },
    after: { type: 'string' },
    limit: { type: 'string' },
  },
  help: `  --type T           only actors of this type; may be repeated
  --after POSITION   begin after this position; 0 begins with the first (default: from now on)
  --limit N          end after N lines
`,
  run(flags, signal) {
    positionals(flags, [])
    const types = textFlags(flags, 'type').map(checkActorType)
    const limit = countFlag(flags, 'limit', 1) ?? Infinity
    const wantedAfter = countFlag(flags, 'after')
    return withNamespace(flags, async ({ store }) => {
      const after = wantedAfter ?? (await store.lastPosition())
      complain(
        `Following namespace ${store.namespace} after position ${after}; Ctrl-C ends it.`,
      )
      let left = limit
      const table = itemTable(flags, { isLive: true })
      const options = { after, signal, ...(types.length > 0 && { types }) }
      if (left > 0)
        for await (const record of store.follow(options))
          for (const item of itemsOf(record)) {
            await table.row(itemView(item))
            if (--left === 0) return exitCode.ok
          }
      return exitCode.ok
    })
  },
}
