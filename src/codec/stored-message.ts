// A message that plain code published ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>
//   Cairn-Schema    1                     version of the topic's schema
//   Cairn-Key       <key>                 messages of one key keep their order, where given
//   Cairn-Node      <node id>
//   Cairn-At        1767225600000         the publisher's clock, ms since 1970
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. The topic is the place of the record.

import { checkCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { wireVersion } from './envelope.js'
import { decodeHeader, encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'
import {
  encodeCauses,
  decodeCauses,
  findWireProblem,
  headerReader,
  wireHeader,
} from './record.js'

export interface StoredMessage extends Causes {
  readonly id: string
  readonly topic: string
  readonly version: number
  readonly data: unknown
  readonly key?: string
  readonly nodeId: string
  readonly at: number
}

const textBytesMax = 1_024

/** Throws `invalid-message`, `invalid-data` or `invalid-option`. */
export function encodeStoredMessage(message: StoredMessage): {
  headers: [string, string][]
  body: Uint8Array
} {
  const { id, topic, version, data, key, nodeId, at } = message
  checkCauses(message)
  checkData(data, `data of a message on ${topic}`)
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Message', text('message id', id)],
    ['Cairn-Schema', String(version)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  if (key !== undefined) headers.push(['Cairn-Key', text('key', key)])
  headers.push(...encodeCauses(message))
  return { headers, body: encode({ data }) }
}

/** The message, or why the record is none. */
export function decodeStoredMessage(
  topic: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): StoredMessage | string {
  const foreign = findWireProblem(headers)
  if (foreign !== undefined) return foreign
  try {
    const header = headerReader(headers)
    const id = header('Cairn-Message')
    const version = Number(header('Cairn-Schema') || NaN)
    const at = Number(header('Cairn-At') || NaN)
    if (!id || !Number.isSafeInteger(version) || !Number.isFinite(at))
      return 'a header that it needs is missing'
    const { data } = decode(body) as { data?: unknown }
    const key = header('Cairn-Key')
    return {
      id,
      topic,
      version,
      data,
      nodeId: header('Cairn-Node') ?? '',
      at,
      ...(key !== undefined && { key }),
      ...decodeCauses(header),
    }
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}

/** The key of a record that cannot be read otherwise. */
export function readMessageKey(
  headers: Readonly<Record<string, string>>,
): string | undefined {
  const value = headers['Cairn-Key']
  try {
    return value === undefined ? undefined : decodeHeader(value)
  } catch {
    return undefined // Whatever it means there, it is no key here.
  }
}

/** Whether a record that cannot be read here was written by a newer build. */
export function hasNewerWireVersion(headers: Readonly<Record<string, string>>): boolean {
  const wire = Number(headers['Cairn-Wire'])
  return isCount(wire) && wire > wireVersion
}

function text(what: string, value: unknown): string {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= textBytesMax
  if (isText) return encodeHeader(value)
  throw new CairnError(
    'invalid-message',
    `${show(value)} is not a ${what}: use 1 to ${textBytesMax} bytes of well-formed text.`,
  )
}
