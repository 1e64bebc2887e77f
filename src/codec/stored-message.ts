// A message published by code outside an actor ⇄ its record: headers (src/codec/header-table.ts), and a body,
// MessagePack: { data }. The key of the record names the topic.

import { checkCauses } from '../model/causes.js'
import type { StoredMessage } from '../model/stored-message.js'
import { checkData } from './data.js'
import { nameOf, peekField } from './header-row.js'
import { messageHeaders } from './header-table.js'
import {
  dataOf,
  decodeRecord,
  encodeRecord,
  type NewRecord,
  type RecordHeaders,
} from './record.js'
import { isNewerThan } from './wire-row.js'
import { wireVersion } from './wire-version.js'

export const messageIdHeader = nameOf(messageHeaders, 'id')

/** Throws `invalid-message`, `invalid-data` or `invalid-option`. */
export function encodeStoredMessage(message: StoredMessage): NewRecord {
  const { topic, data } = message
  checkCauses(message)
  checkData(data, `data of a message on ${topic}`)
  return encodeRecord(messageHeaders, message, { data })
}

/** Returns the message, or the reason why the record is not readable. */
export function decodeStoredMessage(
  topic: string,
  headers: RecordHeaders,
  body: Uint8Array,
): StoredMessage | string {
  return decodeRecord(messageHeaders, headers, body, (header, content) => {
    const { id, version, ...rest } = header
    // A dead letter stores the keys of its message in this order.
    return { id, topic, version, data: dataOf(content), ...rest }
  })
}

/** The key of a message, also where the rest of its record is not readable. */
export function readMessageKey(headers: RecordHeaders): string | undefined {
  return peekField(messageHeaders, 'key', name => headers[name])
}

/** Whether a record has a newer wire version than this build reads. */
export function hasNewerWireVersion(headers: RecordHeaders): boolean {
  return isNewerThan(wireVersion, name => headers[name])
}
