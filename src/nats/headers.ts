// Header lines as bytes: encoded once before sending, and parsed from the received bytes. The client library's
// header objects validate and encode on every publish, and check each name letter by letter on every
// received message, which costs several times as much as the rest of the message.

import type { Msg, MsgHdrs } from 'nats'

/** Encodes `NATS/1.0` and the given lines. Values contain no line ends: the codec encodes them. */
export function encodeHeaderLines(
  headers: readonly (readonly [string, string])[],
): Uint8Array {
  let text = firstLine + lineEnd
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`
  return Buffer.from(text + lineEnd, 'utf8')
}

/** Joins two header blocks made by {@link encodeHeaderLines} into one. */
export function joinHeaders(first: Uint8Array, second: Uint8Array): Uint8Array {
  const end = first.length - lineEnd.length
  const start = firstLine.length + lineEnd.length
  const joined = Buffer.allocUnsafe(end + second.length - start)
  joined.set(first.subarray(0, end))
  joined.set(second.subarray(start), end)
  return joined
}

/** Wraps header bytes for the client library's publish, which only calls `encode()`. */
export function rawHeaders(bytes: Uint8Array): MsgHdrs {
  return { encode: () => bytes } as unknown as MsgHdrs
}

/** The header block of a message. */
export interface HeaderBlock {
  /** Status code; 0 for a message without a status. */
  readonly code: number
  readonly description: string
  readonly values: HeaderValues
}

/**
 * Header values by name. If a header is repeated, the first value counts; for a `Nats-` header the last one, because
 * the server appends its own after those of the message.
 *
 * Stored as a list: a message has about eight lines, and most are read once. Building a map takes
 * longer than searching the list each time.
 */
export class HeaderValues implements Iterable<[string, string]> {
  /** Name, value, name, value …, as they were received. */
  readonly lines: readonly string[]

  constructor(lines: readonly string[]) {
    this.lines = lines
  }

  get(name: string): string | undefined {
    const { lines } = this
    if (name.startsWith(serverPrefix)) {
      for (let i = lines.length - 2; i >= 0; i -= 2)
        if (lines[i] === name) return lines[i + 1]
      return undefined
    }
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) return lines[i + 1]
    return undefined
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  *[Symbol.iterator](): Generator<[string, string]> {
    const { lines } = this
    for (let i = 0; i < lines.length; i += 2)
      if (lines.indexOf(lines[i]!) === i) yield [lines[i]!, this.get(lines[i]!)!]
  }
}

/** Reads the headers of a message. */
export function readHeaders(message: Msg): HeaderValues {
  return readHeaderBlock(message).values
}

/** @param data `message.data`, whose getter creates a new view on each call */
export function readHeaderBlock(message: Msg, data = message.data): HeaderBlock {
  const text = headerText(message, data)
  return text === undefined ? readWithClient(message) : parseHeaderBlock(text)
}

/** Parses a header block, whose first line is `NATS/1.0`, with or without a status. */
export function parseHeaderBlock(text: string): HeaderBlock {
  const lines: string[] = []
  let end = text.indexOf(lineEnd)
  const status =
    end < 0 ? text.slice(firstLine.length) : text.slice(firstLine.length, end)
  while (end >= 0) {
    const start = end + lineEnd.length
    end = text.indexOf(lineEnd, start)
    const stop = end < 0 ? text.length : end
    const colon = text.indexOf(':', start)
    if (colon <= start || colon >= stop) continue
    lines.push(text.slice(start, colon), text.slice(colon + 1, stop).trim())
  }
  const values = new HeaderValues(lines)
  const statusText = status.trim()
  if (statusText === '') return { code: 0, description: '', values }
  const code = Number.parseInt(statusText, 10) || 0
  return { code, description: statusText.slice(String(code).length).trim(), values }
}

const firstLine = 'NATS/1.0'
const serverPrefix = 'Nats-'
const lineEnd = '\r\n'

/** The memory chunk of the last message read: many messages in sequence share one. */
let lastChunk: Buffer = Buffer.alloc(0)

/**
 * The text of a message's header block, which precedes the body in the same memory; `undefined` if it
 * does not.
 */
export function headerText(
  message: Msg & { size?(): number },
  data: Uint8Array,
): string | undefined {
  const { subject, reply = '' } = message
  const size = message.size?.() ?? 0
  const length = size - subject.length - reply.length - data.length
  const start = data.byteOffset - length
  if (length < firstLine.length || start < 0) return undefined
  if (lastChunk.buffer !== data.buffer) lastChunk = Buffer.from(data.buffer)
  const text = lastChunk.toString('utf8', start, data.byteOffset)
  return text.startsWith(firstLine) && text.endsWith(lineEnd) ? text : undefined
}

function readWithClient({ headers }: Msg): HeaderBlock {
  const lines: string[] = []
  for (const [name, all] of headers ?? [])
    for (const value of all) lines.push(name, value)
  const { code = 0, description = '' } = headers ?? {}
  return { code, description, values: new HeaderValues(lines) }
}
