// A timer ⇄ the record that waits until it is due: headers + body.
//
//   Cairn-Wire         1
//   Cairn-Timer        unpaid             its name
//   Cairn-Generation   702                which setting: version · 100 + place in what the commit says
//   Cairn-Occurrence   0                  which firing is next
//   Cairn-Due          1767225600000      when, ms since 1970
//   Cairn-Every        60000              ms, where it repeats
//   Cairn-Skip-After   10000              ms, where a late one is skipped
//   Cairn-Type         expire             the type of the command that it sends
//   Cairn-Said-At      4711               a position behind which all is that can have changed it
//   Cairn-Correlation, Cairn-Causation, traceparent    where known
//
// Body, MessagePack: { data }. Whose timer it is says the place of the record.

import type { ActorAddress } from '../model/address.js'
import { checkCauses } from '../model/causes.js'
import { messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import { checkTimer, type Timer } from '../model/timer.js'
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

/** Throws `invalid-timer`, `invalid-data` or `invalid-option`. */
export function encodeTimer(timer: Timer): {
  headers: [string, string][]
  body: Uint8Array
} {
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
  return { headers, body: encode({ data }) }
}

/** The actor's timer, or why the record is none. */
export function decodeTimer(
  actor: ActorAddress,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): Timer | string {
  const foreign = findWireProblem(headers)
  if (foreign !== undefined) return foreign
  try {
    const text = headerReader(headers)
    const count = (name: string) => Number(headers[name] || NaN)
    const generation = count('Cairn-Generation')
    const occurrence = count('Cairn-Occurrence')
    const saidAt = count('Cairn-Said-At')
    if (!isCount(generation) || !isCount(occurrence) || !isCount(saidAt))
      return 'a header that it needs is missing'
    const { data } = decode(body) as { data?: unknown }
    const timer: Timer = {
      actor,
      name: text('Cairn-Timer') ?? '',
      generation,
      occurrence,
      at: count('Cairn-Due'),
      ...(headers['Cairn-Every'] !== undefined && { every: count('Cairn-Every') }),
      ...(headers['Cairn-Skip-After'] !== undefined && {
        skipAfter: count('Cairn-Skip-After'),
      }),
      type: text('Cairn-Type') ?? '',
      data,
      commitPosition: saidAt,
      ...decodeCauses(text),
    }
    checkTimer(timer)
    return timer
  } catch (error) {
    return `it is not decodable (${messageOf(error)})`
  }
}
