// cairn append: stores one event as it is, past any behavior.

import { parseAddress } from '../model/address.js'
import { checkNewEvent } from '../model/event.js'
import type { ExpectedVersion } from '../model/version.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { type Flags, text } from '../program/flags.js'
import { plain } from '../program/plain.js'
import {
  type CliCommand,
  parseJson,
  positionals,
  wantsJson,
  withNamespace,
} from './command.js'
import { complain, print, toJson } from './output.js'

export const append: CliCommand = {
  usage: 'append TYPE/ID EVENT [JSON] [--expect N|none|exists|any]',
  summary: 'store an event',
  flags: { expect: { type: 'string' } },
  help: '  --expect VERSION   the version the actor must be at: N, none, exists or any (default)\n',
  run(flags) {
    const given = positionals(flags, ['TYPE/ID', 'EVENT', 'JSON'], ['JSON'])
    const actor = parseAddress(given['TYPE/ID']!)
    const event = checkNewEvent({ type: given.EVENT!, data: parseJson(given.JSON) })
    const expected = expectedOf(flags)
    return withNamespace(flags, async ({ store }) => {
      const result = await store.append(actor, [event], { expected })
      if (!result.ok) {
        const { actual } = result
        await print(toJson({ expected, actual }))
        complain(
          `${given['TYPE/ID']} is at version ${actual}, and ${expected} was expected; nothing was stored.`,
        )
        return exitCode.conflict
      }
      const { version, position } = result
      await print(
        wantsJson(flags)
          ? toJson({ version, position })
          : plain(`${given['TYPE/ID']} is at version ${version} (position ${position})`),
      )
      return exitCode.ok
    })
  },
}

function expectedOf(flags: Flags): ExpectedVersion {
  const value = text(flags, 'expect') ?? 'any'
  if (value === 'none' || value === 'any' || value === 'exists') return value
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new UsageError(
    `--expect is ${JSON.stringify(value)}: use a whole number from 0, none, exists or any.`,
  )
}
