// Header lines, written once and sent as bytes, and read from the bytes that came. The client's
// own header objects validate and encode on every publish, and on every message that comes
// they check each name letter by letter: several times what the rest of a message takes.

import type { Msg, MsgHdrs } from 'nats'

/** Bytes of `NATS/1.0` and the given lines. Values hold no line ends: the codec saw to it. */
export function encodeHeaderLines(
  headers: readonly (readonly [string, string])[],
): Uint8Array {
  let text = firstLine + lineEnd
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`
  return Buffer.from(text + lineEnd, 'utf8')
}

/** The lines of two header blocks, both as {@link encodeHeaderLines} makes them, in one. */
export function joinHeaders(first: Uint8Array, second: Uint8Array): Uint8Array {
  const end = first.length - lineEnd.length
  const start = firstLine.length + lineEnd.length
  const joined = Buffer.allocUnsafe(end + second.length - start)
  joined.set(first.subarray(0, end))
  joined.set(second.subarray(start), end)
  return joined
}

/** Header bytes as the client's publish wants them: it only ever calls `encode()`. */
export function rawHeaders(bytes: Uint8Array): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs
}

/** What stands in front of a message's body. */
export interface HeaderBlock {
  /** 0 for a message that is no status. */
  readonly code: number
  readonly description: string
  /**
   * By name. Where one is repeated the first value counts, but the last of a `Nats-` header:
   * the server appends its own behind what the message brought along.
   */
  readonly values: ReadonlyMap<string, string>
}

/** A message's headers by name; see {@link HeaderBlock}. */
export function readHeaders(message: Msg): ReadonlyMap<string, string> {
  return readHeaderBlock(message).values
}

export function readHeaderBlock(message: Msg): HeaderBlock {
  const text = headerText(message)
  return text === undefined ? readByClient(message) : parseHeaderBlock(text)
}

/** The lines of a header block, `NATS/1.0` or a status first. */
export function parseHeaderBlock(text: string): HeaderBlock {
  const values = new Map<string, string>()
  let end = text.indexOf(lineEnd)
  const status = text.slice(firstLine.length, end < 0 ? text.length : end).trim()
  while (end >= 0) {
    const start = end + lineEnd.length
    end = text.indexOf(lineEnd, start)
    const stop = end < 0 ? text.length : end
    const colon = text.indexOf(':', start)
    if (colon <= start || colon >= stop) continue
    const name = text.slice(start, colon)
    if (name.startsWith('Nats-') || !values.has(name))
      values.set(name, text.slice(colon + 1, stop).trim())
  }
  if (status === '') return { code: 0, description: '', values }
  const code = Number.parseInt(status, 10) || 0
  return { code, description: status.slice(String(code).length).trim(), values }
}

const firstLine = 'NATS/1.0'
const lineEnd = '\r\n'

/**
 * The block as it came: it stands right before the body, in the same memory. `undefined` where
 * that is not so.
 */
function headerText(message: Msg & { size?(): number }): string | undefined {
  const { subject, data, reply = '' } = message
  const all = message.size?.() ?? 0
  const length = all - subject.length - reply.length - data.length
  const start = data.byteOffset - length
  if (length < firstLine.length || start < 0) return undefined
  const text = Buffer.from(data.buffer, start, length).toString('utf8')
  return text.startsWith(firstLine) && text.endsWith(lineEnd) ? text : undefined
}

function readByClient({ headers }: Msg): HeaderBlock {
  const values = new Map<string, string>()
  if (headers === undefined) return { code: 0, description: '', values }
  for (const [name, all] of headers) {
    const value = name.startsWith('Nats-') ? all.at(-1) : all[0]
    if (value !== undefined) values.set(name, value)
  }
  return { code: headers.code, description: headers.description, values }
}
