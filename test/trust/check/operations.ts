// Operations: each call with its end, and which calls are attempts at the same thing.

import type { Completed, Entry, Invoked } from '../history.js'
import { claimOf } from './claims.js'
import { textOf } from './same.js'
import type { Evidence } from './violation.js'

export interface Operation {
  readonly invoked: Invoked
  /** Absent if its process died or was stopped first. */
  readonly completed: Completed | undefined
}

/** An operation that ended well. */
export interface Answered extends Operation {
  readonly completed: Completed
}

/** In the order in which they were invoked. */
export function operationsOf(entries: readonly Entry[]): Operation[] {
  const completed = new Map<string, Completed>()
  for (const entry of entries)
    if (entry.kind === 'completed') completed.set(entry.op, entry)
  return entries.flatMap(entry =>
    entry.kind === 'invoked'
      ? [{ invoked: entry, completed: completed.get(entry.op) }]
      : [],
  )
}

/**
 * What an operation would store. Attempts at the same thing have the same text; `undefined` for reads and for what
 * cannot be recognised.
 */
export function intentOf({ call, actor, id, data }: Invoked): string | undefined {
  if (call === 'append') return intent.append(actor ?? '', data)
  if (id === undefined) return undefined
  if (call === 'ask' || call === 'send') return intent.command(actor ?? '', id)
  if (call === 'transact') return intent.transaction(id)
  return call === 'publish' ? intent.message(id) : undefined
}

export const intent = {
  command: (actor: string, id: string) => `command ${actor} ${id}`,
  /** An append has no id; what it stores is unique. */
  append: (actor: string, data: unknown) => `append ${actor} ${textOf(data)}`,
  transaction: (id: string) => `transaction ${id}`,
  message: (id: string) => `message ${id}`,
}

export function isOk(operation: Operation): operation is Answered {
  return operation.completed?.outcome === 'ok'
}

export function isRejected({ completed }: Operation): boolean {
  return completed?.outcome === 'rejected'
}

/** Told that nothing was stored, by an error that claims it. */
export function claimsAbsence({ invoked, completed }: Operation): boolean {
  return (
    completed?.outcome === 'error' && claimOf(invoked.call, completed.code) !== undefined
  )
}

/** Neither told that it was stored nor that it was not. */
export function isUnknown(operation: Operation): boolean {
  const { completed } = operation
  if (completed === undefined) return true
  return completed.outcome === 'error' && !claimsAbsence(operation)
}

export function mayHaveStored(operation: Operation): boolean {
  return isOk(operation) || isUnknown(operation)
}

export function evidenceOf(operations: Iterable<Operation>): Evidence[] {
  return [...operations].flatMap(({ invoked, completed }) =>
    completed === undefined ? [invoked] : [invoked, completed],
  )
}

/** As a violation names it. */
export function nameOf({ invoked }: Operation): string {
  const { op, call, command, actor, id } = invoked
  const parts = [call, command, actor && `to ${actor}`, id && `(${id})`]
  return `${parts.filter(part => part !== undefined).join(' ')}, operation ${op},`
}
