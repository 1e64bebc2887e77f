// cairn actors: the actors that have events.

import { checkActorType, formatAddress, isReservedType } from '../model/address.js'
import { defined } from '../model/defined.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { Table } from './table.js'

export const actors: CliCommand = {
  usage: 'actors [--type T]',
  summary: 'list the actors that have events',
  flags: { type: { type: 'string' } },
  help: `  --type T           only this type (default: all but Cairn's own, which begin with cairn-)
`,
  run(flags, signal, progress) {
    positionals(flags, [])
    const type = textFlag(flags, 'type')
    if (type !== undefined) checkActorType(type)
    return withNamespace(flags, async ({ store }) => {
      const options = { signal, ...defined({ type }) }
      const table = new Table<{ actor: string; type: string; id: string }>(flags, {
        columns: [
          { title: 'type', text: row => row.type },
          { title: 'id', text: row => row.id },
        ],
        line: row => row.actor,
        empty:
          type === undefined
            ? 'No actor has events in this namespace yet.'
            : `No actor of type ${type} has events in this namespace.`,
      })
      let count = 0
      for await (const actor of store.actors(options)) {
        // Supervisors: one for each actor that was ever given a directive.
        if (type === undefined && isReservedType(actor.type)) continue
        const name = formatAddress(actor)
        progress.say(`${++count} actors`)
        await table.row({ actor: name, type: actor.type, id: actor.id })
      }
      await table.end()
      return exitCode.ok
    })
  },
}
