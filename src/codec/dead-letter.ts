// A dead letter ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>                  of the message that was given up
//   Cairn-Topic     trips.completed
//   Cairn-Reason    max-attempts-exhausted
//   Cairn-Error     TypeError             name of the last error
//   Cairn-Attempts  5
//   Cairn-At        1767225600000         when it was given up, ms since 1970
//   Cairn-Correlation                     where known
//
// Body, MessagePack: the dead letter. The key of the record names the reactor.

import type { ActorAddress } from '../model/address.js'
import { CairnError, messageOf } from '../model/errors.js'
import { isCount, type Position } from '../model/version.js'
import { encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'
import { type NewRecord, readRecord, type RecordHeaders, wireHeader } from './record.js'

/** The last error of a dead letter. */
export interface DeadLetterError {
  readonly name: string
  readonly message: string
  readonly stack?: string
}

/** The body of a dead letter's record. */
export interface StoredDeadLetter<Message> {
  /** The original message; without its data if that was too large to be stored again. */
  readonly message: Message
  /** Whether the message comes from a commit, from code outside an actor, or from the inbox. */
  readonly source: 'log' | 'topics' | 'inbox'
  /** The actor and the command type, if it is a command that was given up. Its data is the message's. */
  readonly command?: {
    readonly actor: ActorAddress
    readonly type: string
    /** A position that the log had reached when it was sent for the first time; absent if that is not known. */
    readonly sentAfter?: Position
  }
  readonly error: DeadLetterError
  readonly reason: string
  readonly attempts: number
  /** Time of the first attempt, ms since 1970. */
  readonly firstAt: number
  /** Time of the last attempt, ms since 1970. */
  readonly lastAt: number
  /** When the message was given up, ms since 1970. */
  readonly markedAt: number
  /** How often it had been redriven before. */
  readonly redrives: number
  /** The message's data was too large to be stored again: it is only where the message is. */
  readonly isCut?: boolean
}

interface DeadLetterSubject {
  readonly id: string
  readonly topic: string
  readonly correlationId?: string
}

const stackCharactersMax = 8_192
const messageCharactersMax = 2_048

/** An error as a dead letter stores it. A message or stack that is too long is cut. */
export function toDeadLetterError(error: unknown): DeadLetterError {
  const isError = error instanceof Error
  const message = messageOf(error).slice(0, messageCharactersMax).toWellFormed()
  const stack = isError ? error.stack?.slice(0, stackCharactersMax).toWellFormed() : ''
  const name = isError ? error.name : 'Error'
  return { name, message, ...(stack && { stack }) }
}

export function encodeDeadLetter<Message extends DeadLetterSubject>(
  deadLetter: StoredDeadLetter<Message>,
): NewRecord {
  const { message, error, reason, attempts, markedAt } = deadLetter
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Message', encodeHeader(message.id)],
    ['Cairn-Topic', encodeHeader(message.topic)],
    ['Cairn-Reason', encodeHeader(reason)],
    ['Cairn-Error', encodeHeader(error.name)],
    ['Cairn-Attempts', String(attempts)],
    ['Cairn-At', String(markedAt)],
  ]
  if (message.correlationId !== undefined)
    headers.push(['Cairn-Correlation', encodeHeader(message.correlationId)])
  return { headers, body: encode(deadLetter) }
}

/** Throws `storage-failed` for a record that is not readable, or was written by a newer build. */
export function decodeDeadLetter<Message extends DeadLetterSubject>(
  headers: RecordHeaders,
  body: Uint8Array,
  position: number,
): StoredDeadLetter<Message> {
  const deadLetter = readRecord(headers, header => {
    const read = decode(body) as StoredDeadLetter<Message>
    const isWhole =
      typeof read.message.id === 'string' &&
      read.message.id === (header('Cairn-Message') ?? '') &&
      typeof read.error.name === 'string' &&
      isCount(read.attempts) &&
      isCount(read.redrives)
    return isWhole ? read : 'it is incomplete'
  })
  if (typeof deadLetter !== 'string') return deadLetter
  throw new CairnError(
    'storage-failed',
    `The dead letter at position ${position} cannot be read: ${deadLetter}. Upgrade this node, or discard the ` +
      'dead letter.',
    { details: { position } },
  )
}
