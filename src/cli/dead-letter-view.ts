// A dead letter as the command line prints it.

import { formatAddress } from '../model/address.js'
import type { DeadLetter } from '../delivery/dead-letters/dead-letters.js'
import { deadLetterMark } from '../delivery/reactor/attempt-log.js'
import { isoTime } from './output.js'

/** All of it, in this project's terms, and under `dlq` in those that other systems use. */
export function deadLetterView(letter: DeadLetter) {
  const { message, command, error, reactor, reason, attempts } = letter
  const { markedAt, firstAt, lastAt } = letter
  const { actor, ...rest } = message
  return {
    ...letter,
    ...(command && { command: { ...command, actor: formatAddress(command.actor) } }),
    message: {
      ...rest,
      ...(actor !== undefined && { actor: formatAddress(actor) }),
      at: isoTime(message.at),
    },
    firstAt: isoTime(firstAt),
    lastAt: isoTime(lastAt),
    markedAt: isoTime(markedAt),
    dlq: {
      ...deadLetterMark(reactor, reason, markedAt),
      'original-topic': message.topic,
      'original-id': message.id,
      error: error.name,
      attempt: attempts,
    },
  }
}

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
