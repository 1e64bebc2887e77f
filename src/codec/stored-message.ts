// A message published by code outside an actor ⇄ its record: headers (src/codec/header-table.ts), and a body,
// MessagePack: { data }. The key of the record names the topic. The application's headers are headers of the record, and so
// is what another program gives a message: it is read as one of the application's, unless its name is reserved.

import { checkCauses } from '../model/causes.js'
import { checkMessageHeaders, isMessageHeader } from '../model/message-headers.js'
import type { StoredMessage } from '../model/stored-message.js'
import { checkData } from './data.js'
import { decodeHeader, encodeHeader } from './headers.js'
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
  const headers = checkMessageHeaders(topic, message.headers)
  const record = encodeRecord(messageHeaders, message, { data })
  for (const name in headers) record.headers.push([name, encodeHeader(headers[name]!)])
  return record
}

/** Returns the message, or the reason why the record is not readable. */
export function decodeStoredMessage(
  topic: string,
  headers: RecordHeaders,
  body: Uint8Array,
): StoredMessage | string {
  return decodeRecord(messageHeaders, headers, body, (header, content) => {
    const { id, version, otherHeaders, ...rest } = header
    // A dead letter stores the keys of its message in this order.
    const message = { id, topic, version, data: dataOf(content), ...rest }
    return otherHeaders === undefined ? message : { ...message, ...divided(otherHeaders) }
  })
}

/** Headers that no row of the table has: those of the application, and those of another build. */
function divided(
  unknown: Readonly<Record<string, string>>,
): Pick<StoredMessage, 'headers' | 'otherHeaders'> {
  const headers: Record<string, string> = {}
  const otherHeaders: Record<string, string> = {}
  for (const [name, value] of Object.entries(unknown))
    if (isMessageHeader(name)) headers[name] = textOf(value)
    else otherHeaders[name] = value
  return {
    ...(Object.keys(otherHeaders).length > 0 && { otherHeaders }),
    ...(Object.keys(headers).length > 0 && { headers }),
  }
}

/** Another program need not encode its values. */
function textOf(value: string): string {
  try {
    return decodeHeader(value)
  } catch {
    return value
  }
}

/** The key of a message, also where the rest of its record is not readable. */
export function readMessageKey(headers: RecordHeaders): string | undefined {
  return peekField(messageHeaders, 'key', name => headers[name])
}

/** Whether a record has a newer wire version than this build reads. */
export function hasNewerWireVersion(headers: RecordHeaders): boolean {
  return isNewerThan(wireVersion, name => headers[name])
}
