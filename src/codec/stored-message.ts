// A message published by code outside an actor ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>
//   Cairn-Schema    1                     version of the topic's schema
//   Cairn-Key       <key>                 messages with the same key keep their order; optional
//   Cairn-Node      <node id>
//   Cairn-At        1767225600000         the publisher's clock, ms since 1970
//   Cairn-Log       4711                  a position that the log had reached when it was published; optional
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. The key of the record names the topic.

import { checkCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { isCount, type Position } from '../model/version.js'
import { checkData } from './data.js'
import { wireVersion } from './wire-version.js'
import { decodePosition, encodeHeader, tryDecodeHeader } from './headers.js'
import {
  decodeCauses,
  decodeData,
  decodeNumber,
  encodeCauses,
  encodeRecord,
  encodeText,
  missingHeader,
  type NewRecord,
  readRecord,
  type RecordHeaders,
  wireHeader,
} from './record.js'

export interface StoredMessage extends Causes {
  readonly id: string
  readonly topic: string
  readonly version: number
  readonly data: unknown
  readonly key?: string
  readonly nodeId: string
  /** The publisher's clock, ms since 1970. */
  readonly at: number
  /** A position that the log had reached when it was published; absent if the publisher knew none. */
  readonly logPosition?: Position
}

const textBytesMax = 1_024

export const messageIdHeader = 'Cairn-Message'

/** Throws `invalid-message`, `invalid-data` or `invalid-option`. */
export function encodeStoredMessage(message: StoredMessage): NewRecord {
  const { id, topic, version, data, key, nodeId, at, logPosition } = message
  checkCauses(message)
  checkData(data, `data of a message on ${topic}`)
  const headers: [string, string][] = [
    wireHeader,
    [messageIdHeader, encodeText('invalid-message', 'message id', id, textBytesMax)],
    ['Cairn-Schema', String(version)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  if (logPosition !== undefined) headers.push(['Cairn-Log', String(logPosition)])
  if (key !== undefined)
    headers.push(['Cairn-Key', encodeText('invalid-message', 'key', key, textBytesMax)])
  headers.push(...encodeCauses(message))
  return encodeRecord(headers, data)
}

/** Returns the message, or the reason why the record is not readable. */
export function decodeStoredMessage(
  topic: string,
  headers: RecordHeaders,
  body: Uint8Array,
): StoredMessage | string {
  return readRecord(headers, header => {
    const id = header(messageIdHeader)
    const version = decodeNumber(header('Cairn-Schema'))
    const at = decodeNumber(header('Cairn-At'))
    if (!id || !Number.isSafeInteger(version) || !Number.isFinite(at))
      return missingHeader
    const data = decodeData(body)
    const key = header('Cairn-Key')
    const log = header('Cairn-Log')
    const logPosition = log === undefined ? undefined : decodePosition(log)
    return {
      id,
      topic,
      version,
      data,
      nodeId: header('Cairn-Node') ?? '',
      at,
      ...(key !== undefined && { key }),
      ...(logPosition !== undefined && { logPosition }),
      ...decodeCauses(header),
    }
  })
}

/** The key of a message, also where the rest of its record is not readable. */
export function readMessageKey(headers: RecordHeaders): string | undefined {
  return tryDecodeHeader(headers['Cairn-Key'])
}

/** Whether a record has a newer wire version than this build reads. */
export function hasNewerWireVersion(headers: RecordHeaders): boolean {
  const wire = Number(headers['Cairn-Wire'])
  return isCount(wire) && wire > wireVersion
}
