// A message that is sent to one reactor again ⇄ its record: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Message   <id>                  the same as ever
//
// Body, MessagePack: { message, source, redrives }. Which reactor it is for says the place.

import { isCount } from '../model/version.js'
import { messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { wireVersion } from './envelope.js'
import { encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'

export interface RedrivenMessage<Message> {
  readonly message: Message
  /** Where it was published. */
  readonly source: 'log' | 'topics'
  /** How often it has been sent again, this time included. */
  readonly redrives: number
}

export function encodeRedriven<Message extends { readonly id: string }>(
  redriven: RedrivenMessage<Message>,
): { headers: [string, string][]; body: Uint8Array } {
  const headers: [string, string][] = [
    ['Cairn-Wire', String(wireVersion)],
    ['Cairn-Message', encodeHeader(redriven.message.id)],
  ]
  return { headers, body: encode(redriven) }
}

/** The message, or why the record is none. */
export function decodeRedriven<Message extends { readonly id: string }>(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): RedrivenMessage<Message> | string {
  const wire = headers['Cairn-Wire']
  if (wire !== String(wireVersion))
    return `its wire version is ${show(wire)}, and this build reads ${wireVersion}`
  try {
    const redriven = decode(body) as RedrivenMessage<Message>
    const { message, source, redrives } = redriven
    const isWhole =
      typeof message.id === 'string' &&
      (source === 'log' || source === 'topics') &&
      isCount(redrives)
    return isWhole ? redriven : 'it is incomplete'
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}
