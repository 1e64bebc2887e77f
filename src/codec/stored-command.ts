// A durable command ⇄ its record in the inbox: headers (src/codec/header-table.ts), and a body, MessagePack: { data }.
// The key of the record names the actor.

import { checkCauses } from '../model/causes.js'
import { show } from '../model/show.js'
import type { StoredCommand } from '../model/stored-command.js'
import { checkData } from './data.js'
import { commandHeaders } from './header-table.js'
import {
  dataOf,
  decodeRecord,
  encodeRecord,
  type NewRecord,
  type RecordHeaders,
} from './record.js'

/** Throws `invalid-command`, `invalid-data` or `invalid-option`. */
export function encodeStoredCommand(command: StoredCommand): NewRecord {
  const { type, data } = command
  checkCauses(command)
  checkData(data, `data of command ${show(type)}`)
  return encodeRecord(commandHeaders, command, { data })
}

/** Returns the command, or the reason why the record is not readable. */
export function decodeStoredCommand(
  headers: RecordHeaders,
  body: Uint8Array,
): StoredCommand | string {
  return decodeRecord(commandHeaders, headers, body, (header, content) => ({
    ...header,
    data: dataOf(content),
  }))
}
