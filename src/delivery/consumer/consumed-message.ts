// Messages as integration code receives them.

import { encodeHeader } from '../../codec/headers.js'
import { formatAddress } from '../../model/address.js'
import type { Position } from '../../model/version.js'
import type { Message } from '../messages/message.js'

export interface ConsumedMessage {
  /** The topic. */
  readonly subject: string
  readonly payload: unknown
  /**
   * `Cairn-Message` (its id), `Cairn-Schema`, `Cairn-Attempt` (from 1), `Cairn-Node`, and where known
   * `Cairn-Actor`, `Cairn-Correlation`, `Cairn-Causation`, `traceparent` and `Cairn-Principal`; with them those that the
   * message was published with. Characters outside ASCII, spaces and `%` are percent-encoded.
   */
  readonly headers: Readonly<Record<string, string>>
  /**
   * For a message from an actor, its position in the log; for others, the position in the stream of topics. The two
   * cannot be compared.
   */
  readonly sequence: Position
  /** RFC 3339, UTC. */
  readonly publishedAt: string
  /** Names this delivery in `ack`, `nak`, `term`, `release` and `extend`, which any process may call. */
  readonly ackToken: string
}

export function toConsumedMessage(
  message: Message,
  attempt: number,
  ackToken: string,
): ConsumedMessage {
  return {
    subject: message.topic,
    payload: message.data,
    headers: headersOf(message, attempt),
    sequence: message.position,
    publishedAt: new Date(message.at).toISOString(),
    ackToken,
  }
}

function headersOf(message: Message, attempt: number): Record<string, string> {
  const { id, version, nodeId, actor, correlationId, causationId } = message
  const { traceparent, principal } = message
  const headers: Record<string, string | undefined> = {
    ...message.headers,
    'Cairn-Message': id,
    'Cairn-Schema': String(version),
    'Cairn-Attempt': String(attempt),
    'Cairn-Node': nodeId,
    'Cairn-Actor': actor && formatAddress(actor),
    'Cairn-Correlation': correlationId,
    'Cairn-Causation': causationId,
    traceparent,
    'Cairn-Principal': principal,
  }
  return Object.fromEntries(
    Object.entries(headers).flatMap(([header, value]) =>
      value === undefined ? [] : [[header, encodeHeader(value)]],
    ),
  )
}
