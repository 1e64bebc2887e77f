// A timer ⇄ its record, stored until the timer is due: headers (src/codec/header-table.ts), and a body, MessagePack:
// { data }. The key of the record names the actor.

import type { ActorAddress } from '../model/address.js'
import { checkCauses } from '../model/causes.js'
import { show } from '../model/show.js'
import { checkTimer, type Timer } from '../model/timer.js'
import { checkData } from './data.js'
import { timerHeaders } from './header-table.js'
import {
  dataOf,
  decodeRecord,
  encodeRecord,
  type NewRecord,
  type RecordHeaders,
} from './record.js'

/** Throws `invalid-timer`, `invalid-data` or `invalid-option`. */
export function encodeTimer(timer: Timer): NewRecord {
  const { name, type, data } = timer
  checkTimer(timer)
  checkCauses(timer)
  checkData(data, `data of command ${show(type)} of timer ${show(name)}`)
  return encodeRecord(timerHeaders, timer, { data })
}

/** Returns the actor's timer, or the reason why the record is not readable. */
export function decodeTimer(
  actor: ActorAddress,
  headers: RecordHeaders,
  body: Uint8Array,
): Timer | string {
  return decodeRecord(timerHeaders, headers, body, (header, content) => {
    const timer: Timer = { actor, ...header, data: dataOf(content) }
    checkTimer(timer)
    return timer
  })
}
