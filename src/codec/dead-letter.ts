// A dead letter ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>                  of the message that died
//   Cairn-Topic     trips.completed
//   Cairn-Reason    max-attempts-exhausted
//   Cairn-Error     TypeError             the last error's name
//   Cairn-Attempts  5
//   Cairn-At        1767225600000         when it was given up, ms since 1970
//   Cairn-Correlation                     where known
//
// Body, MessagePack: the rest. Whose dead letter it is says the place of the record.

import type { ActorAddress } from '../model/address.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { wireVersion } from './envelope.js'
import { decodeHeader, encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'

/** The last error of a dead letter. */
export interface DeadLetterError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

export interface StoredDeadLetter<Message> {
  readonly message: Message
  /** Whether the message comes from the log of commits, from what plain code published, or from the inbox. */
  readonly source: 'log' | 'topics' | 'inbox'
  /** Where it is a command that could not be carried out: whose, and which. Its data are the message's. */
  readonly command?: { readonly actor: ActorAddress; readonly type: string }
  readonly error: DeadLetterError
  readonly reason: string
  readonly attempts: number
  /** Milliseconds since 1970: its first attempt, its last one, and when it was given up. */
  readonly firstAt: number
  readonly lastAt: number
  readonly markedAt: number
  /** How often it had been sent again before. */
  readonly redrives: number
  /** The message is without its data, which was too large to be kept twice. */
  readonly isCut?: boolean
}

interface DeadLetterSubject {
  readonly id: string
  readonly topic: string
  readonly correlationId?: string
}

const stackCharactersMax = 8_192
const messageCharactersMax = 2_048

/** What is kept of an error: its text is cut where it is long. */
export function toDeadLetterError(error: unknown): DeadLetterError {
  const isError = error instanceof Error
  const message = messageOf(error).slice(0, messageCharactersMax).toWellFormed()
  const stack = isError ? error.stack?.slice(0, stackCharactersMax).toWellFormed() : ''
  const name = isError ? error.name : 'Error'
  return { name, message, ...(stack && { stack }) }
}

export function encodeDeadLetter<Message extends DeadLetterSubject>(
  letter: StoredDeadLetter<Message>,
): { headers: [string, string][]; body: Uint8Array } {
  const { message, error, reason, attempts, markedAt } = letter
  const headers: [string, string][] = [
    ['Cairn-Wire', String(wireVersion)],
    ['Cairn-Message', encodeHeader(message.id)],
    ['Cairn-Topic', encodeHeader(message.topic)],
    ['Cairn-Reason', encodeHeader(reason)],
    ['Cairn-Error', encodeHeader(error.name)],
    ['Cairn-Attempts', String(attempts)],
    ['Cairn-At', String(markedAt)],
  ]
  if (message.correlationId !== undefined)
    headers.push(['Cairn-Correlation', encodeHeader(message.correlationId)])
  return { headers, body: encode(letter) }
}

/** Throws `storage-failed` for what is no dead letter, or of a newer build. */
export function decodeDeadLetter<Message extends DeadLetterSubject>(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  position: number,
): StoredDeadLetter<Message> {
  const wire = headers['Cairn-Wire']
  if (wire !== String(wireVersion))
    throw unreadable(
      position,
      `its wire version is ${show(wire)}, and this build reads ${wireVersion}`,
    )
  try {
    const letter = decode(body) as StoredDeadLetter<Message>
    const isWhole =
      typeof letter.message.id === 'string' &&
      letter.message.id === decodeHeader(headers['Cairn-Message'] ?? '') &&
      typeof letter.error.name === 'string' &&
      isCount(letter.attempts) &&
      isCount(letter.redrives)
    if (isWhole) return letter
  } catch (error) {
    throw unreadable(position, messageOf(error))
  }
  throw unreadable(position, 'it is incomplete')
}

function unreadable(position: number, why: string): CairnError {
  return new CairnError(
    'storage-failed',
    `The dead letter at position ${position} cannot be read: ${why}. Upgrade this build, or discard it.`,
    { details: { position } },
  )
}
