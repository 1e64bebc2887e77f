// Commands as callers send them: checked and copied before the host accepts them.

import { type ActorAddress, checkAddress, formatAddress } from '../model/address.js'
import { type Command, commandIdBytesMax } from '../model/behavior.js'
import { sanitizeCauses } from '../model/causes.js'
import type { AskOptions } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import { show } from '../model/show.js'
import type { Writable } from '../model/writable.js'
import { withCauses } from './causes.js'
import { detach } from './detach.js'

/**
 * Returns the command, with a copy of its data. Throws `invalid-command`, `invalid-data`,
 * `invalid-option` or what is wrong with the address.
 */
export function toCommand(
  actor: ActorAddress,
  type: string,
  data: unknown,
  options: AskOptions,
): Command {
  checkAddress(actor)
  const { commandId: id = newId(), expectedVersion } = options
  checkText('command type', type, commandTypeBytesMax)
  checkText('command id', id, commandIdBytesMax)
  const copy = detach(
    data,
    () => `data of command ${show(type)} to ${formatAddress(actor)}`,
  )
  const command: Writable<Command> = { id, type, data: copy }
  if (expectedVersion !== undefined) command.expectedVersion = expectedVersion
  return withCauses(command, sanitizeCauses(options))
}

const commandTypeBytesMax = 256

function checkText(what: string, text: unknown, bytesMax: number): void {
  if (typeof text === 'string' && text !== '' && text.isWellFormed())
    // A UTF-16 unit takes at most three bytes of UTF-8, so most texts need no count.
    if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return
  throw new CairnError(
    'invalid-command',
    `${show(text)} is not a ${what}: use 1 to ${bytesMax} bytes of well-formed text.`,
  )
}
