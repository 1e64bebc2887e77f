// A durable command ⇄ its record in the inbox: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Command   <id>
//   Cairn-Type      deposit               the command's type
//   Cairn-Node      <node id>             the node that sent it
//   Cairn-At        1767225600000         the sender's clock, ms since 1970
//   Cairn-Redrives  1                     how often it was redriven; absent for never
//   Cairn-Repeat    1                     present if it may have been sent before under its id, at Cairn-At
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. The key of the record names the actor.

import { commandIdBytesMax } from '../model/behavior.js'
import { checkCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { encodeHeader } from './headers.js'
import {
  decodeCauses,
  decodeData,
  decodeNumber,
  encodeCauses,
  encodeRecord,
  encodeText,
  missingHeader,
  type NewRecord,
  readRecord,
  type RecordHeaders,
  wireHeader,
} from './record.js'

export interface StoredCommand extends Causes {
  readonly id: string
  readonly type: string
  readonly data: unknown
  readonly nodeId: string
  /** The sender's clock, ms since 1970. */
  readonly at: number
  /** How often it was redriven after it was given up; absent for never. */
  readonly redrives?: number
  /** It may have been sent before, and handled, as early as `at`. */
  readonly isRepeat?: boolean
}

const typeBytesMax = 256

/** Throws `invalid-command`, `invalid-data` or `invalid-option`. */
export function encodeStoredCommand(command: StoredCommand): NewRecord {
  const { id, type, data, nodeId, at, redrives = 0 } = command
  checkCauses(command)
  checkData(data, `data of command ${show(type)}`)
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Command', encodeText('invalid-command', 'command id', id, commandIdBytesMax)],
    ['Cairn-Type', encodeText('invalid-command', 'command type', type, typeBytesMax)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  if (redrives > 0) headers.push(['Cairn-Redrives', String(redrives)])
  if (command.isRepeat === true) headers.push(['Cairn-Repeat', '1'])
  headers.push(...encodeCauses(command))
  return encodeRecord(headers, data)
}

/** Returns the command, or the reason why the record is not readable. */
export function decodeStoredCommand(
  headers: RecordHeaders,
  body: Uint8Array,
): StoredCommand | string {
  return readRecord(headers, header => {
    const id = header('Cairn-Command')
    const type = header('Cairn-Type')
    const at = decodeNumber(header('Cairn-At'))
    if (!id || !type || !Number.isFinite(at)) return missingHeader
    const redrives = Number(header('Cairn-Redrives') ?? 0)
    if (!isCount(redrives)) return 'its count of redrives is not a whole number'
    return {
      id,
      type,
      data: decodeData(body),
      nodeId: header('Cairn-Node') ?? '',
      at,
      ...(redrives > 0 && { redrives }),
      ...(headers['Cairn-Repeat'] === '1' && { isRepeat: true }),
      ...decodeCauses(header),
    }
  })
}
