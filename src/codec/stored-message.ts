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
    ['Cairn-Wire', String(wireVersion)],
    ['Cairn-Message', text('message id', id)],
    ['Cairn-Schema', String(version)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  const { correlationId, causationId, traceparent } = message
  if (key !== undefined) headers.push(['Cairn-Key', text('key', key)])
  if (correlationId !== undefined)
    headers.push(['Cairn-Correlation', encodeHeader(correlationId)])
  if (causationId !== undefined)
    headers.push(['Cairn-Causation', encodeHeader(causationId)])
  if (traceparent !== undefined) headers.push(['traceparent', encodeHeader(traceparent)])
  return { headers, body: encode({ data }) }
}

/** The message, or why the record is none. */
export function decodeStoredMessage(
  topic: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): StoredMessage | string {
  const wire = headers['Cairn-Wire']
  if (wire !== String(wireVersion))
    return `its wire version is ${show(wire)}, and this build reads ${wireVersion}`
  try {
    const header = (name: string) => {
      const value = headers[name]
      return value === undefined ? undefined : decodeHeader(value)
    }
    const id = header('Cairn-Message')
    const version = Number(header('Cairn-Schema') || NaN)
    const at = Number(header('Cairn-At') || NaN)
    if (!id || !Number.isSafeInteger(version) || !Number.isFinite(at))
      return 'a header that it needs is missing'
    const { data } = decode(body) as { data?: unknown }
    const key = header('Cairn-Key')
    const correlationId = header('Cairn-Correlation')
    const causationId = header('Cairn-Causation')
    const traceparent = header('traceparent')
    return {
      id,
      topic,
      version,
      data,
      nodeId: header('Cairn-Node') ?? '',
      at,
      ...(key !== undefined && { key }),
      ...(correlationId !== undefined && { correlationId }),
      ...(causationId !== undefined && { causationId }),
      ...(traceparent !== undefined && { traceparent }),
    }
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}

/** The key of a record that cannot be read otherwise. */
export function keyOfUnread(
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
export function isOfNewerWire(headers: Readonly<Record<string, string>>): boolean {
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
