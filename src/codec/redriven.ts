// A message that is redriven to one reactor ⇄ its record: headers (src/codec/header-table.ts), and a body, MessagePack:
// { message, source, redrives }. The key of the record names the reactor.

import { isCount } from '../model/version.js'
import { redrivenHeaders } from './header-table.js'
import {
  decodeRecord,
  encodeRecord,
  type NewRecord,
  type RecordHeaders,
} from './record.js'

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
  return encodeRecord(redrivenHeaders, { id: redriven.message.id }, redriven)
}

/** Returns the message, or the reason why the record is not readable. */
export function decodeRedriven<Message extends { readonly id: string }>(
  headers: RecordHeaders,
  body: Uint8Array,
): RedrivenMessage<Message> | string {
  return decodeRecord(redrivenHeaders, headers, body, (_header, content) => {
    const redriven = content as RedrivenMessage<Message>
    const { message, source, redrives } = redriven ?? {}
    const isWhole =
      typeof message?.id === 'string' &&
      (source === 'log' || source === 'topics') &&
      isCount(redrives)
    return isWhole ? redriven : 'it is incomplete'
  })
}
