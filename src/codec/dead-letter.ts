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
import { messageOf } from '../model/errors.js'
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
const nameCharactersMax = 256

/** An error as a dead letter stores it, whatever was thrown. A message or stack that is too long is cut. */
export function toDeadLetterError(error: unknown): DeadLetterError {
  const { name, stack } = error instanceof Error ? textsOf(error) : noTexts
  const message = textOf(() => messageOf(error), messageCharactersMax) ?? ''
  return { name: name || 'Error', message, ...(stack && { stack }) }
}

const noTexts: {
  readonly name?: string | undefined
  readonly stack?: string | undefined
} = {}

function textsOf(error: Error): typeof noTexts {
  return {
    name: textOf(() => error.name, nameCharactersMax),
    stack: textOf(() => error.stack, stackCharactersMax),
  }
}

/** A property of a thrown value: it need not be text, and reading it can throw. */
function textOf(read: () => unknown, charactersMax: number): string | undefined {
  try {
    const value = read()
    return typeof value === 'string'
      ? value.slice(0, charactersMax).toWellFormed()
      : undefined
  } catch {
    return undefined
  }
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

/** Returns the dead letter, or the reason why the record is not readable: it is damaged, or of a newer build. */
export function decodeDeadLetter<Message extends DeadLetterSubject>(
  headers: RecordHeaders,
  body: Uint8Array,
): StoredDeadLetter<Message> | string {
  return readRecord(headers, header => {
    const read = decode(body) as StoredDeadLetter<Message>
    const isWhole =
      typeof read.message.id === 'string' &&
      read.message.id === (header('Cairn-Message') ?? '') &&
      typeof read.error === 'object' &&
      isCount(read.attempts) &&
      isCount(read.redrives)
    if (!isWhole) return 'it is incomplete'
    // Older builds stored names as they were thrown.
    const { error } = read
    const { name } = error
    return {
      ...read,
      error: { ...error, name: typeof name === 'string' ? name : 'Error' },
    }
  })
}
