// A dead letter ⇄ its record: headers (src/codec/header-table.ts), and a body, MessagePack: the dead letter. The key of
// the record names the reactor.

import { messageOf } from '../model/errors.js'
import type { DeadLetterError, StoredDeadLetter } from '../model/stored-dead-letter.js'
import { isCount } from '../model/version.js'
import { peekField } from './header-row.js'
import { deadLetterHeaders } from './header-table.js'
import {
  decodeRecord,
  encodeRecord,
  type NewRecord,
  type RecordHeaders,
} from './record.js'

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
  const { id, topic, correlationId } = message
  const header = { id, topic, reason, errorName: error.name, attempts, markedAt }
  const from = correlationId === undefined ? header : { ...header, correlationId }
  return encodeRecord(deadLetterHeaders, from, deadLetter)
}

/** Returns the dead letter, or the reason why the record is not readable: it is damaged, or of a newer build. */
export function decodeDeadLetter<Message extends DeadLetterSubject>(
  headers: RecordHeaders,
  body: Uint8Array,
): StoredDeadLetter<Message> | string {
  return decodeRecord(deadLetterHeaders, headers, body, ({ id }, content) => {
    const read = content as StoredDeadLetter<Message>
    const isWhole =
      typeof read.message.id === 'string' &&
      read.message.id === id &&
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

/** The id and topic in the headers of a dead letter that cannot be read; empty where they are not readable either. */
export function readDeadLetterSubject(
  headers: RecordHeaders,
): Pick<DeadLetterSubject, 'id' | 'topic'> {
  const text = (field: 'id' | 'topic') =>
    peekField(deadLetterHeaders, field, name => headers[name]) ?? ''
  return { id: text('id'), topic: text('topic') }
}
