// The digest of a command: its name and a hash of its data. A commit keeps it beside an id that a caller chose, so that
// the same id with another command is noticed.

import { createHash } from 'node:crypto'

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import type { Redelivery } from '../model/redelivery.js'
import { show } from '../model/show.js'
import type { Position } from '../model/version.js'

/** 96 bits: enough to tell slips from repeats. */
const hashCharacters = 16

/**
 * The digest of a command whose id a caller chose. Absent for an id that was created for the command, and for one that
 * Cairn derived from what caused the command: a handler that was changed may cause another one.
 */
export function digestOf(
  { type, data }: Pick<Command, 'type' | 'data'>,
  isNew: boolean,
  redelivery: Redelivery | undefined,
): string | undefined {
  const isCallersId = redelivery === undefined || redelivery.isCallersId === true
  if (isNew || !isCallersId) return undefined
  // A command without data may come with an empty object from another program.
  const hash = createHash('sha256')
    .update(canonical(data ?? {}))
    .digest('base64url')
  return `${type}#${hash.slice(0, hashCharacters)}`
}

/** The command's name in a digest. */
function nameInDigest(digest: string): string {
  return digest.slice(0, digest.lastIndexOf('#'))
}

/** Throws `command-id-reused` where the id stands for another command. */
export function checkSameCommand(
  actor: ActorAddress,
  commandId: string,
  stored: string | undefined,
  digest: string | undefined,
  position: Position,
): void {
  if (digest === undefined || stored === undefined || stored === digest) return
  const name = formatAddress(actor)
  const [first, command] = [nameInDigest(stored), nameInDigest(digest)]
  const difference =
    first === command ? `${first} with other data` : `${first}, and now ${command}`
  throw new CairnError(
    'command-id-reused',
    `Command id ${show(commandId)} was used for another command to ${name}: ${difference}. This one was not ` +
      'carried out. Either the id belongs to another command, or a field that its sender adds (a price, a time) has changed ' +
      'since the first try: repeat a command with the same name and data, and give another one an id of its own.',
    { details: { actor: name, commandId, first, command, position } },
  )
}

/** One text for equal data, whatever the order of its keys. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number')
    return Number.isFinite(value) ? `${value + 0}` : `${value}!`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '_'
  if (value instanceof Date) return `@${value.getTime()}`
  if (value instanceof Uint8Array) return `~${Buffer.from(value).toString('base64')}`
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`
}
