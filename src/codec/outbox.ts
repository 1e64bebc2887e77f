// What a commit says ⇄ its part of the envelope: a header that tells what there is, and the
// rest in the body.

import { checkAddress, formatAddress } from '../model/address.js'
import { CairnError, messageOf } from '../model/errors.js'
import { type OutboxEntry, outboxEntriesMax, type OutboxTimer } from '../model/outbox.js'
import { show } from '../model/show.js'
import { checkTimer, checkTimerName } from '../model/timer.js'
import { isCount } from '../model/version.js'
import { checkData } from './data.js'
import { decodeList, encodeList } from './headers.js'

/** In the header, in the place of a topic. */
export const commandTarget = '>'
export const timerTarget = '@'
export const cancelTarget = '@-'

export type OutboxBody =
  | { readonly topic: string; readonly version: number; readonly data?: unknown }
  | {
      readonly to: readonly [type: string, id: string]
      readonly command: string
      readonly data?: unknown
    }
  | {
      readonly timer: string
      readonly at: number
      readonly every?: number
      readonly skipAfter?: number
      readonly command: string
      readonly data?: unknown
    }
  | { readonly cancel: string }

/** Throws `invalid-data`, `invalid-actor-id`, or `commit-too-large` when it is too much. */
export function encodeOutbox(says: readonly OutboxEntry[]): OutboxBody[] {
  if (says.length > outboxEntriesMax)
    throw new CairnError(
      'commit-too-large',
      `A commit says ${says.length} things, and the limit is ${outboxEntriesMax}: say less at once.`,
      { details: { limit: outboxEntriesMax, actual: says.length } },
    )
  return says.map(said => {
    if (said.kind === 'message') {
      const { topic, version, data } = said
      checkData(data, `data of a message on ${topic}`)
      return { topic, version, data }
    }
    if (said.kind === 'cancel') return { cancel: checkTimerName(said.name) }
    if (said.kind === 'timer') {
      checkTimer(said)
      const { name, at, every, skipAfter, type: command, data } = said
      checkData(data, `data of command ${show(command)} of timer ${show(name)}`)
      return {
        timer: name,
        at,
        ...(every !== undefined && { every }),
        ...(skipAfter !== undefined && { skipAfter }),
        command,
        data,
      }
    }
    const { type, id } = checkAddress(said.actor)
    const { type: command, data } = said
    checkData(data, `data of command ${show(command)} to ${formatAddress(said.actor)}`)
    return { to: [type, id], command, data }
  })
}

export function outboxHeader(says: readonly OutboxEntry[]): string {
  return encodeList(says.map(outboxTargetOf))
}

/** How the header lists it. */
export function outboxTargetOf(said: OutboxEntry): string {
  switch (said.kind) {
    case 'message':
      return said.topic
    case 'command':
      return commandTarget
    case 'timer':
      return timerTarget
    case 'cancel':
      return cancelTarget
  }
}

/** Whether a header lists something that the courier carries out. */
export function isForCourier(marks: readonly string[] = []): boolean {
  return marks.some(
    mark => mark === commandTarget || mark === timerTarget || mark === cancelTarget,
  )
}

/** What the header lists; `undefined` without one, `null` for one that cannot be read. */
export function decodeOutboxHeader(
  value: string | undefined,
): string[] | undefined | null {
  if (value === undefined) return undefined
  for (let count = 1; count <= outboxEntriesMax; count++) {
    const list = decodeList(value, count)
    if (list !== undefined) return list
  }
  return null
}

/** Why the body is not what the header says. */
export function findOutboxProblem(
  body: unknown,
  header: readonly string[] | undefined,
): string | undefined {
  if (body === undefined && header === undefined) return undefined
  if (!Array.isArray(body) || body.length !== header?.length)
    return 'what its body says is not what its Cairn-Says header lists'
  for (const [i, said] of (body as (Partial<OutboxBody> | null)[]).entries()) {
    const problem = said === null ? 'it is empty' : problemOf(said, header[i]!)
    if (problem !== undefined) return `${i + 1} of what its body says: ${problem}`
  }
  return undefined
}

function problemOf(said: Partial<OutboxBody>, listed: string): string | undefined {
  if ('topic' in said)
    return said.topic === listed && isCount(said.version) ? undefined : 'no message'
  if ('timer' in said || 'cancel' in said) return timerProblemOf(said, listed)
  const { to, command } = said as Partial<Extract<OutboxBody, { to: unknown }>>
  if (listed !== commandTarget || typeof command !== 'string' || !Array.isArray(to))
    return 'no command'
  try {
    checkAddress({ type: to[0], id: to[1] })
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function timerProblemOf(
  said: Partial<Extract<OutboxBody, { timer: unknown } | { cancel: unknown }>>,
  listed: string,
): string | undefined {
  try {
    if ('timer' in said) {
      if (listed !== timerTarget || typeof said.command !== 'string') return 'no timer'
      const { timer, at, every, skipAfter, command, data } = said as Timer
      checkTimer(timerOf(timer, at, every, skipAfter, command, data))
    } else {
      if (listed !== cancelTarget) return 'no cancelling'
      checkTimerName((said as { cancel: string }).cancel)
    }
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

type Timer = Extract<OutboxBody, { timer: unknown }>

function timerOf(
  name: string,
  at: number,
  every: number | undefined,
  skipAfter: number | undefined,
  type: string,
  data: unknown,
): OutboxTimer {
  return {
    kind: 'timer',
    name,
    at,
    ...(every !== undefined && { every }),
    ...(skipAfter !== undefined && { skipAfter }),
    type,
    data,
  }
}

/** Only for a body without a problem. */
export function decodeOutbox(body: readonly OutboxBody[]): OutboxEntry[] {
  return body.map((said): OutboxEntry => {
    if ('topic' in said) {
      const { topic, version, data } = said
      return { kind: 'message', topic, version, data }
    }
    if ('cancel' in said) return { kind: 'cancel', name: said.cancel }
    if ('timer' in said) {
      const { timer, at, every, skipAfter, command, data } = said
      return timerOf(timer, at, every, skipAfter, command, data)
    }
    const [type, id] = said.to
    return { kind: 'command', actor: { type, id }, type: said.command, data: said.data }
  })
}
