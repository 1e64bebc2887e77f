// A timer ⇄ its record, stored until the timer is due: headers + body.
//
//   Cairn-Wire         1
//   Cairn-Timer        unpaid             its name
//   Cairn-Generation   702                which setting: version · 100 + index in the commit's outbox
//   Cairn-Occurrence   0                  which firing is next
//   Cairn-Due          1767225600000      due time, ms since 1970
//   Cairn-Every        60000              interval of a repeating timer, ms
//   Cairn-Skip-After   10000              lateness from which a firing is skipped, ms
//   Cairn-Type         expire             type of the command that it sends
//   Cairn-Said-At      4711               position of the commit that set it: only later commits can have changed it
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. The key of the record names the actor.

import type { ActorAddress } from '../model/address.js'
import { checkCauses } from '../model/causes.js'
import { show } from '../model/show.js'
import { checkTimer, type Timer } from '../model/timer.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { encodeHeader } from './headers.js'
import {
  decodeCauses,
  decodeData,
  decodeNumber,
  encodeCauses,
  encodeRecord,
  missingHeader,
  type NewRecord,
  readRecord,
  type RecordHeaders,
  wireHeader,
} from './record.js'

/** Throws `invalid-timer`, `invalid-data` or `invalid-option`. */
export function encodeTimer(timer: Timer): NewRecord {
  const { name, generation, occurrence, at, every, skipAfter, type, data } = timer
  const { commitPosition } = timer
  checkTimer(timer)
  checkCauses(timer)
  checkData(data, `data of command ${show(type)} of timer ${show(name)}`)
  const headers: [string, string][] = [
    wireHeader,
    ['Cairn-Timer', encodeHeader(name)],
    ['Cairn-Generation', String(generation)],
    ['Cairn-Occurrence', String(occurrence)],
    ['Cairn-Due', String(at)],
  ]
  if (every !== undefined) headers.push(['Cairn-Every', String(every)])
  if (skipAfter !== undefined) headers.push(['Cairn-Skip-After', String(skipAfter)])
  headers.push(
    ['Cairn-Type', encodeHeader(type)],
    ['Cairn-Said-At', String(commitPosition)],
  )
  headers.push(...encodeCauses(timer))
  return encodeRecord(headers, data)
}

/** Returns the actor's timer, or the reason why the record is not readable. */
export function decodeTimer(
  actor: ActorAddress,
  headers: RecordHeaders,
  body: Uint8Array,
): Timer | string {
  return readRecord(headers, header => {
    const count = (name: string) => decodeNumber(headers[name])
    const generation = count('Cairn-Generation')
    const occurrence = count('Cairn-Occurrence')
    const commitPosition = count('Cairn-Said-At')
    if (!isCount(generation) || !isCount(occurrence) || !isCount(commitPosition))
      return missingHeader
    const data = decodeData(body)
    const timer: Timer = {
      actor,
      name: header('Cairn-Timer') ?? '',
      generation,
      occurrence,
      at: count('Cairn-Due'),
      ...(headers['Cairn-Every'] !== undefined && { every: count('Cairn-Every') }),
      ...(headers['Cairn-Skip-After'] !== undefined && {
        skipAfter: count('Cairn-Skip-After'),
      }),
      type: header('Cairn-Type') ?? '',
      data,
      commitPosition,
      ...decodeCauses(header),
    }
    checkTimer(timer)
    return timer
  })
}
