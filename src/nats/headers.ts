// Header lines, written once and sent as bytes. The client's own header objects validate
// and encode on every publish; ours are encoded already.

import type { Msg, MsgHdrs } from 'nats'

/** Bytes of `NATS/1.0` and the given lines. Values hold no line ends: the codec saw to it. */
export function encodeHeaderLines(
  headers: readonly (readonly [string, string])[],
): Uint8Array {
  let text = 'NATS/1.0\r\n'
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`
  return Buffer.from(`${text}\r\n`, 'utf8')
}

/** Header bytes as the client's publish wants them: it only ever calls `encode()`. */
export function rawHeaders(bytes: Uint8Array): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs
}

/**
 * A message's headers by name. Where one is repeated the first value counts, but the last
 * of a `Nats-` header: the server appends its own behind what the message brought along.
 */
export function readHeaders(message: Msg): Map<string, string> {
  const headers = new Map<string, string>()
  if (message.headers !== undefined)
    for (const [name, values] of message.headers) {
      const value = name.startsWith('Nats-') ? values.at(-1) : values[0]
      if (value !== undefined) headers.set(name, value)
    }
  return headers
}
