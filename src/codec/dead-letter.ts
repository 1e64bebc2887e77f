// A dead letter ⇄ its record: headers (src/codec/header-table.ts), and a body, MessagePack: the dead letter. The key of
// the record names the reactor.

import type { DeadLetterError, StoredDeadLetter } from '../model/stored-dead-letter.js'
import { describeThrown } from '../model/thrown.js'
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

/** An error as a dead letter stores it, whatever was thrown. A message or stack that is too long is cut. */
export function toDeadLetterError(error: unknown): DeadLetterError {
  return describeThrown(error)
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
      typeof read?.message?.id === 'string' &&
      read.message.id === id &&
      typeof read.error === 'object' &&
      read.error !== null &&
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
