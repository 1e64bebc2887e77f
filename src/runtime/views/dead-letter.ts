// A dead letter as tools show it: with --json, and over HTTP.

import { formatAddress } from '../../model/address.js'
import type { DeadLetter } from '../../delivery/dead-letters/dead-letters.js'
import { deadLetterMark } from '../../delivery/reactor/attempt-log.js'
import { isoTime } from './iso-time.js'

/** All of it, in this project's terms, and under `dlq` in those that other systems use. */
export function deadLetterView(letter: DeadLetter) {
  const { command, ...other } = letter
  const { message, error, reactor, reason, attempts } = letter
  const { markedAt, firstAt, lastAt } = letter
  const { actor, ...rest } = message
  return {
    ...other,
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

export type DeadLetterView = ReturnType<typeof deadLetterView>
