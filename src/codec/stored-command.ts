// A command ⇄ the record that waits for its actor: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Command   <id>
//   Cairn-Type      deposit               the command's type
//   Cairn-Node      <node id>             who sent it
//   Cairn-At        1767225600000         the sender's clock, ms since 1970
//   Cairn-Redrives  1                     how often it was sent again after it was given up, where it was
//   Cairn-Repeat    1                     where it may have been sent before under its id, at Cairn-At
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. Whose command it is says the place of the record.

import { commandIdBytesMax } from '../model/behavior.js'
import { checkCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { encodeHeader } from './headers.js'
import { decode, encode } from './msgpack.js'
import {
  encodeCauses,
  decodeCauses,
  findWireProblem,
  headerReader,
  wireHeader,
} from './record.js'

export interface StoredCommand extends Causes {
  readonly id: string
  readonly type: string
  readonly data: unknown
  readonly nodeId: string
  /** The sender's clock, ms since 1970. */
  readonly at: number
  /** How often it was sent again after it was given up; absent for never. */
  readonly redrives?: number
  /** It may have been sent before, and carried out, as early as `at`. */
  readonly isRepeat?: boolean
}

const textBytesMax = 256

/** Throws `invalid-command`, `invalid-data` or `invalid-option`. */
export function encodeStoredCommand(command: StoredCommand): {
  headers: [string, string][]
  body: Uint8Array
} {
  const { id, type, data, nodeId, at, redrives = 0 } = command
  checkCauses(command)
  checkData(data, `data of command ${show(type)}`)
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Command', text('command id', id, commandIdBytesMax)],
    ['Cairn-Type', text('command type', type)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  if (redrives > 0) headers.push(['Cairn-Redrives', String(redrives)])
  if (command.isRepeat === true) headers.push(['Cairn-Repeat', '1'])
  headers.push(...encodeCauses(command))
  return { headers, body: encode({ data }) }
}

/** The command, or why the record is none. */
export function decodeStoredCommand(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): StoredCommand | string {
  const foreign = findWireProblem(headers)
  if (foreign !== undefined) return foreign
  try {
    const header = headerReader(headers)
    const id = header('Cairn-Command')
    const type = header('Cairn-Type')
    const at = Number(header('Cairn-At') || NaN)
    if (!id || !type || !Number.isFinite(at)) return 'a header that it needs is missing'
    const redrives = Number(header('Cairn-Redrives') ?? 0)
    if (!isCount(redrives)) return 'its count of redrives is none'
    const { data } = decode(body) as { data?: unknown }
    return {
      id,
      type,
      data,
      nodeId: header('Cairn-Node') ?? '',
      at,
      ...(redrives > 0 && { redrives }),
      ...(headers['Cairn-Repeat'] === '1' && { isRepeat: true }),
      ...decodeCauses(header),
    }
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}

function text(what: string, value: unknown, bytesMax = textBytesMax): string {
  const isText =
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= bytesMax
  if (isText) return encodeHeader(value)
  throw new CairnError(
    'invalid-command',
    `${show(value)} is not a ${what}: use 1 to ${bytesMax} bytes of well-formed text.`,
  )
}
