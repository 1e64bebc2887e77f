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
  readonly values: HeaderValues
}

/**
 * Header lines by name. Where one is repeated the first value counts, but the last of a `Nats-` header:
 * the server appends its own behind what the message brought along.
 *
 * A list and no map: a message has some eight lines, of which most are asked for once. To make a map of them takes
 * longer than to look through them each time.
 */
export class HeaderValues implements Iterable<[string, string]> {
  readonly #lines: readonly string[]

  /** @param lines name, value, name, value … */
  constructor(lines: readonly string[]) {
    this.#lines = lines
  }

  get(name: string): string | undefined {
    const lines = this.#lines
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
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2)
      if (lines.indexOf(lines[i]!) === i) yield [lines[i]!, this.get(lines[i]!)!]
  }
}

/** A message's headers by name. */
export function readHeaders(message: Msg): HeaderValues {
  return readHeaderBlock(message).values
}

/** @param data the message's, which is made anew each time it is asked for */
export function readHeaderBlock(message: Msg, data = message.data): HeaderBlock {
  const text = headerText(message, data)
  return text === undefined ? readByClient(message) : parseHeaderBlock(text)
}

/** The lines of a header block, `NATS/1.0` or a status first. */
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
  const said = status.trim()
  if (said === '') return { code: 0, description: '', values }
  const code = Number.parseInt(said, 10) || 0
  return { code, description: said.slice(String(code).length).trim(), values }
}

const firstLine = 'NATS/1.0'
const serverPrefix = 'Nats-'
const lineEnd = '\r\n'

/** What came last from the socket, whole: a hundred messages of it are read one after the other. */
let memory: Buffer = Buffer.alloc(0)

/**
 * The block as it came: it stands right before the body, in the same memory. `undefined` where
 * that is not so.
 */
export function headerText(
  message: Msg & { size?(): number },
  data: Uint8Array,
): string | undefined {
  const { subject, reply = '' } = message
  const all = message.size?.() ?? 0
  const length = all - subject.length - reply.length - data.length
  const start = data.byteOffset - length
  if (length < firstLine.length || start < 0) return undefined
  if (memory.buffer !== data.buffer) memory = Buffer.from(data.buffer)
  const text = memory.toString('utf8', start, data.byteOffset)
  return text.startsWith(firstLine) && text.endsWith(lineEnd) ? text : undefined
}

function readByClient({ headers }: Msg): HeaderBlock {
  const lines: string[] = []
  for (const [name, all] of headers ?? [])
    for (const value of all) lines.push(name, value)
  const { code = 0, description = '' } = headers ?? {}
  return { code, description, values: new HeaderValues(lines) }
}
