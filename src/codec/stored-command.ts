// A durable command ⇄ its record in the inbox: headers + body.
//
//   Cairn-Wire      1
//   Cairn-Command   <id>
//   Cairn-Type      deposit               the command's type
//   Cairn-Node      <node id>             the node that sent it
//   Cairn-At        1767225600000         the sender's clock, ms since 1970
//   Cairn-Log       4711                  a position that the log had reached when it was sent for the first time
//   Cairn-Redrives  1                     how often it was redriven; absent for never
//   Cairn-Repeat    resent                present if it may have been handled before: `callers-id` or `resent`
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. The key of the record names the actor.

import { commandIdBytesMax } from '../model/behavior.js'
import { checkCauses } from '../model/causes.js'
import type { Causes } from '../model/commit.js'
import { show } from '../model/show.js'
import { isCount, type Position } from '../model/version.js'
import { checkData } from './data.js'
import { decodePosition, encodeHeader } from './headers.js'
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
  /** A position that the log had reached when it was sent for the first time; 0 if that is not known. */
  readonly sentAfter: Position
  /**
   * Why it may have been handled before: a caller chose its id (`callers-id`), or Cairn itself may have sent it before
   * (`resent`). Absent: it was not.
   */
  readonly repeat?: CommandRepeat
}

export type CommandRepeat = 'callers-id' | 'resent'

const typeBytesMax = 256

/** Throws `invalid-command`, `invalid-data` or `invalid-option`. */
export function encodeStoredCommand(command: StoredCommand): NewRecord {
  const { id, type, data, nodeId, at, sentAfter, redrives = 0 } = command
  checkCauses(command)
  checkData(data, `data of command ${show(type)}`)
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Command', encodeText('invalid-command', 'command id', id, commandIdBytesMax)],
    ['Cairn-Type', encodeText('invalid-command', 'command type', type, typeBytesMax)],
    ['Cairn-Node', encodeHeader(nodeId)],
    ['Cairn-At', String(at)],
  ]
  if (sentAfter > 0) headers.push(['Cairn-Log', String(sentAfter)])
  if (redrives > 0) headers.push(['Cairn-Redrives', String(redrives)])
  if (command.repeat !== undefined) headers.push(['Cairn-Repeat', command.repeat])
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
    const sentAfter = decodePosition(header('Cairn-Log'))
    if (sentAfter === undefined) return 'its position of the log is not a whole number'
    return {
      id,
      type,
      data: decodeData(body),
      nodeId: header('Cairn-Node') ?? '',
      at,
      sentAfter,
      ...(redrives > 0 && { redrives }),
      ...readRepeat(header('Cairn-Repeat')),
      ...decodeCauses(header),
    }
  })
}

/** Any value means that it may have been handled before. */
function readRepeat(value: string | undefined): { readonly repeat?: CommandRepeat } {
  if (value === undefined) return {}
  return { repeat: value === 'callers-id' ? value : 'resent' }
}
