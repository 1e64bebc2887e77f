// cairn actors: which actors there are.

import { checkActorType, formatAddress, isReservedType } from '../model/address.js'
import { exitCode } from '../program/exit-codes.js'
import { text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import { type CliCommand, positionals, wantsJson, withNamespace } from './command.js'
import { print, toJson } from './output.js'

export const actors: CliCommand = {
  usage: 'actors [--type T]',
  summary: 'list the actors that have events',
  flags: { type: { type: 'string' } },
  help: `  --type T           only this type (default: all but Cairn's own, which begin with cairn-)
`,
  run(flags, signal) {
    positionals(flags, [])
    const type = text(flags, 'type')
    if (type !== undefined) checkActorType(type)
    return withNamespace(flags, async ({ store }) => {
      const options = { signal, ...(type !== undefined && { type }) }
      for await (const actor of store.actors(options)) {
        // One for each actor that was ever supervised: nobody wants them among their own.
        if (type === undefined && isReservedType(actor.type)) continue
        await print(
          wantsJson(flags)
            ? toJson({ actor: formatAddress(actor), type: actor.type, id: actor.id })
            : plain(formatAddress(actor)),
        )
      }
      return exitCode.ok
    })
  },
}
