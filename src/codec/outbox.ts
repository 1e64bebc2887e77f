// A commit's outbox ⇄ its part of the record: a header that lists the targets, and the entries in the body.

import { checkAddress, formatAddress } from '../model/address.js'
import { type Answers, answersOf, checkAnswers } from '../model/answers.js'
import { CairnError, messageOf } from '../model/errors.js'
import { areMessageHeaders, checkMessageHeaders } from '../model/message-headers.js'
import { type OutboxEntry, outboxEntriesMax, type OutboxTimer } from '../model/outbox.js'
import { show } from '../model/show.js'
import { checkTimer, checkTimerName } from '../model/timer.js'
import { isCount } from '../model/version.js'
import { findWorkProblem, type WorkTerms } from '../model/work.js'
import { checkData } from './data.js'

/** Targets in the header for entries that are not messages; a message's target is its topic. */
export const commandTarget = '>'
export const timerTarget = '@'
export const cancelTarget = '@-'
export const performTarget = '!'
export const stopTarget = '!-'

export type OutboxBody =
  | {
      readonly topic: string
      readonly version: number
      readonly data?: unknown
      readonly headers?: Readonly<Record<string, string>>
    }
  | (Answers & {
      readonly to: readonly [type: string, id: string]
      readonly command: string
      readonly data?: unknown
    })
  | (Answers & {
      readonly timer: string
      readonly at: number
      readonly every?: number
      readonly skipAfter?: number
      readonly command: string
      readonly data?: unknown
    })
  | { readonly cancel: string }
  | WorkBody
  | { readonly stop: string; readonly name?: string }

/** Work, as a commit says it. */
export type WorkBody = Omit<WorkTerms, 'work'> & { readonly perform: string }

/** Throws `invalid-data`, `invalid-message`, `invalid-actor-id`, or `commit-too-large` for too many entries. */
export function encodeOutbox(outbox: readonly OutboxEntry[]): OutboxBody[] {
  if (outbox.length > outboxEntriesMax)
    throw new CairnError(
      'commit-too-large',
      `A commit has ${outbox.length} effects (messages, commands, timers, work), and the limit is ${outboxEntriesMax}: return ` +
        'fewer with one command, and send the rest by a later command.',
      { details: { limit: outboxEntriesMax, actual: outbox.length } },
    )
  return outbox.map(entry => {
    if (entry.kind === 'message') {
      const { topic, version, data } = entry
      checkData(data, `data of a message on ${topic}`)
      const headers = checkMessageHeaders(topic, entry.headers)
      return headers === undefined
        ? { topic, version, data }
        : { topic, version, data, headers }
    }
    if (entry.kind === 'cancel') return { cancel: checkTimerName(entry.name) }
    if (entry.kind === 'perform') {
      const { kind: _, work, ...terms } = entry
      checkData(terms, `input of work ${show(work)}`)
      return { perform: work, ...terms }
    }
    if (entry.kind === 'stop') {
      const { work, name } = entry
      return name === undefined ? { stop: work } : { stop: work, name }
    }
    if (entry.kind === 'timer') {
      checkTimer(entry)
      const { name, at, every, skipAfter, type: command, data } = entry
      checkData(data, `data of command ${show(command)} of timer ${show(name)}`)
      return {
        timer: name,
        at,
        ...(every !== undefined && { every }),
        ...(skipAfter !== undefined && { skipAfter }),
        command,
        data,
        ...answersOf(entry),
      }
    }
    const { type, id } = checkAddress(entry.actor)
    const { type: command, data } = entry
    checkData(data, `data of command ${show(command)} to ${formatAddress(entry.actor)}`)
    return { to: [type, id], command, data, ...answersOf(entry) }
  })
}

/** The entry's target in the header. */
export function outboxTargetOf(entry: OutboxEntry): string {
  switch (entry.kind) {
    case 'message':
      return entry.topic
    case 'command':
      return commandTarget
    case 'timer':
      return timerTarget
    case 'cancel':
      return cancelTarget
    case 'perform':
      return performTarget
    case 'stop':
      return stopTarget
  }
}

/** Whether the targets include work, or a cancellation of work. */
export function saysWork(targets: readonly string[] = []): boolean {
  return targets.some(target => target === performTarget || target === stopTarget)
}

/** Whether the targets include one that the courier handles: a command or a timer. */
export function isForCourier(targets: readonly string[] = []): boolean {
  return targets.some(
    target =>
      target === commandTarget || target === timerTarget || target === cancelTarget,
  )
}

/** Why the outbox in the body does not match the targets in the header. */
export function findOutboxProblem(
  body: unknown,
  header: readonly string[] | undefined,
): string | undefined {
  if (body === undefined && header === undefined) return undefined
  if (!Array.isArray(body) || body.length !== header?.length)
    return 'the outbox in its body does not match its Cairn-Says header'
  for (const [i, entry] of (body as unknown[]).entries()) {
    const isObject = typeof entry === 'object' && entry !== null
    const problem = isObject ? findEntryProblem(entry, header[i]!) : 'not an object'
    if (problem !== undefined)
      return `entry ${i + 1} of the outbox in its body is invalid: ${problem}`
  }
  return undefined
}

function findEntryProblem(
  entry: Partial<OutboxBody>,
  target: string,
): string | undefined {
  if ('topic' in entry)
    return entry.topic === target &&
      isCount(entry.version) &&
      areMessageHeaders(entry.headers)
      ? undefined
      : 'not a message'
  if ('timer' in entry || 'cancel' in entry) return findTimerProblem(entry, target)
  if ('perform' in entry) {
    const { perform, ...terms } = entry
    return target === performTarget
      ? findWorkProblem({ ...terms, work: perform })
      : 'not a piece of work'
  }
  if ('stop' in entry)
    return target === stopTarget && typeof entry.stop === 'string'
      ? undefined
      : 'not a cancellation of work'
  const { to, command } = entry as Partial<Extract<OutboxBody, { to: unknown }>>
  if (target !== commandTarget || typeof command !== 'string' || !Array.isArray(to))
    return 'not a command'
  try {
    checkAddress({ type: to[0], id: to[1] })
    checkAnswers('It', answersOf(entry as Answers))
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function findTimerProblem(
  entry: Partial<Extract<OutboxBody, { timer: unknown } | { cancel: unknown }>>,
  target: string,
): string | undefined {
  try {
    if ('timer' in entry) {
      if (target !== timerTarget || typeof entry.command !== 'string')
        return 'not a timer'
      checkTimer(toTimer(entry as TimerBody))
      checkAnswers('It', answersOf(entry))
    } else {
      if (target !== cancelTarget) return 'not a cancellation'
      checkTimerName((entry as { cancel: string }).cancel)
    }
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

type TimerBody = Extract<OutboxBody, { timer: unknown }>

function toTimer(body: TimerBody): OutboxTimer {
  const { timer: name, at, every, skipAfter, command: type, data } = body
  return {
    kind: 'timer',
    name,
    at,
    ...(every !== undefined && { every }),
    ...(skipAfter !== undefined && { skipAfter }),
    type,
    data,
    ...answersOf(body),
  }
}

/** Decodes an outbox in which {@link findOutboxProblem} found no problem. */
export function decodeOutbox(body: readonly OutboxBody[]): OutboxEntry[] {
  return body.map((entry): OutboxEntry => {
    if ('topic' in entry) {
      const { topic, version, data, headers } = entry
      return { kind: 'message', topic, version, data, ...(headers && { headers }) }
    }
    if ('cancel' in entry) return { kind: 'cancel', name: entry.cancel }
    if ('timer' in entry) return toTimer(entry)
    if ('perform' in entry) {
      const { perform: work, ...terms } = entry
      return { kind: 'perform', work, ...terms }
    }
    if ('stop' in entry) {
      const { stop: work, name } = entry
      return { kind: 'stop', work, ...(name !== undefined && { name }) }
    }
    const [type, id] = entry.to
    const { command, data } = entry
    const answers = answersOf(entry)
    return { kind: 'command', actor: { type, id }, type: command, data, ...answers }
  })
}
