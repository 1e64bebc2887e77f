// cairn actors: the actors that have events.

import { checkActorType, formatAddress, isReservedType } from '../model/address.js'
import { defined } from '../model/defined.js'
import { exitCode } from '../program/exit-codes.js'
import { textFlag } from '../program/flags.js'
import { type CliCommand, positionals, withNamespace } from './command.js'
import { printRow } from './output.js'

export const actors: CliCommand = {
  usage: 'actors [--type T]',
  summary: 'list the actors that have events',
  flags: { type: { type: 'string' } },
  help: `  --type T           only this type (default: all but Cairn's own, which begin with cairn-)
`,
  run(flags, signal) {
    positionals(flags, [])
    const type = textFlag(flags, 'type')
    if (type !== undefined) checkActorType(type)
    return withNamespace(flags, async ({ store }) => {
      const options = { signal, ...defined({ type }) }
      for await (const actor of store.actors(options)) {
        // Supervisors: one for each actor that was ever given a directive.
        if (type === undefined && isReservedType(actor.type)) continue
        const name = formatAddress(actor)
        await printRow(flags, { actor: name, type: actor.type, id: actor.id }, name)
      }
      return exitCode.ok
    })
  },
}
