// cairn append: stores one event as it is, without a behavior.

import { parseAddress } from '../model/address.js'
import { checkNewEvent } from '../model/event.js'
import type { ExpectedVersion } from '../model/version.js'
import { exitCode, UsageError } from '../program/exit-codes.js'
import { type ParsedFlags, textFlag } from '../program/flags.js'
import { type CliCommand, parseJson, positionals, withNamespace } from './command.js'
import { complain, print, printRow } from './output.js'
import { toJson } from '../codec/json.js'

export const append: CliCommand = {
  usage: 'append TYPE/ID EVENT [JSON] [--expect N|none|exists|any]',
  flags: { expect: { type: 'string' } },
  help: '  --expect VERSION   the version the actor must be at: N, none, exists or any (default)\n',
  run(flags) {
    const given = positionals(flags, ['TYPE/ID', 'EVENT'], ['JSON'])
    const name = given['TYPE/ID']
    const actor = parseAddress(name)
    const event = checkNewEvent({ type: given.EVENT, data: parseJson(given.JSON) })
    const expected = expectedOf(flags)
    return withNamespace(
      flags,
      async ({ store }) => {
        const result = await store.append(actor, [event], { expected })
        if (!result.ok) {
          const { actual } = result
          await print(toJson({ expected, actual }))
          complain(
            `${name} is at version ${actual}, and ${expected} was expected; nothing was stored.`,
          )
          return exitCode.conflict
        }
        const { version, position } = result
        const line = `${name} is at version ${version} (position ${position})`
        await printRow(flags, { version, position }, line)
        return exitCode.ok
      },
      { create: true },
    )
  },
}

function expectedOf(flags: ParsedFlags): ExpectedVersion {
  const value = textFlag(flags, 'expect') ?? 'any'
  if (value === 'none' || value === 'any' || value === 'exists') return value
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new UsageError(
    `--expect is ${JSON.stringify(value)}: use a whole number from 0, none, exists or any.`,
  )
}
