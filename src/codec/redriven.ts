// A message that is redriven to one reactor ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>                  the original id
//
// Body, MessagePack: { message, source, redrives }. The key of the record names the reactor.

import { isCount } from '../model/version.js'
import { encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'
import { type NewRecord, readRecord, type RecordHeaders, wireHeader } from './record.js'

export interface RedrivenMessage<Message> {
  readonly message: Message
  /** Whether the message comes from a commit, or was published by code outside an actor. */
  readonly source: 'log' | 'topics'
  /** How often it has been redriven, this time included. */
  readonly redrives: number
}

export function encodeRedriven<Message extends { readonly id: string }>(
  redriven: RedrivenMessage<Message>,
): NewRecord {
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Message', encodeHeader(redriven.message.id)],
  ]
  return { headers, body: encode(redriven) }
}

/** Returns the message, or the reason why the record is not readable. */
export function decodeRedriven<Message extends { readonly id: string }>(
  headers: RecordHeaders,
  body: Uint8Array,
): RedrivenMessage<Message> | string {
  return readRecord(headers, () => {
    const redriven = decode(body) as RedrivenMessage<Message>
    const { message, source, redrives } = redriven
    const isWhole =
      typeof message.id === 'string' &&
      (source === 'log' || source === 'topics') &&
      isCount(redrives)
    return isWhole ? redriven : 'it is incomplete'
  })
}
