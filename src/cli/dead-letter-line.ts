// A dead letter as a line of the command line.

import { formatAddress } from '../model/address.js'
import type { DeadLetter } from '../delivery/dead-letters/dead-letters.js'
import { isoTime } from '../runtime/views/iso-time.js'

export function deadLetterLine(letter: DeadLetter): string {
  const { position, reactor, message, command, reason, attempts, error } = letter
  const subject =
    command === undefined
      ? message.topic
      : `${command.type} to ${formatAddress(command.actor)}`
  const from = message.actor === undefined ? '' : `  ${formatAddress(message.actor)}`
  return (
    `${position}  ${isoTime(letter.markedAt)}  ${reactor}  ${subject}  ${message.id}${from}  ` +
    `${reason} after ${attempts}  ${error.name}: ${error.message.split('\n')[0]}`
  )
}
