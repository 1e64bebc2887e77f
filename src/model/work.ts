// Work: what an actor has done outside, by a function of its definition that may take time and may fail. A commit asks for
// it in its outbox, and its end is a command to the actor.

import type { RetryOptions } from './retry-policy.js'
import { show } from './show.js'

/** The attempts at a piece of work, as they are stored. */
export type WorkRetry = Omit<RetryOptions, 'when'>

/** How a piece of work is done, and which commands of its actor hear of its end. All of it is stored. */
export interface WorkTerms {
  /** The name of the work in the definition. */
  readonly work: string
  /** A name by which this piece can be cancelled alone. Default: none. */
  readonly name?: string
  readonly data: unknown
  /** The command that gets the result. */
  readonly done: string
  /** The command that gets the error of the last attempt. */
  readonly failed: string
  readonly retry?: WorkRetry
  /** Milliseconds for an attempt. */
  readonly timeout?: number
}

/** Work that has not ended. */
export interface PendingWork extends WorkTerms {
  /** WORK-1. */
  readonly key: string
}

/** The event of an end that the actor has rejected, or that stored nothing else. It changes no state. */
export const workEndedType = 'cairn.workEnded'

/** The data of that event. */
export interface WorkEnded {
  readonly key: string
  readonly work: string
  /** The command that brought the end. */
  readonly command: string
  /** Why the actor rejected it; absent if it accepted it and stored nothing. */
  readonly rejection?: { readonly code: string; readonly message: string }
}

/** Why stored work is not as a writer of this format writes it; `undefined` if it is. */
export function findWorkProblem(value: unknown): string | undefined {
  const { work, name, done, failed, timeout, retry } = value as Partial<
    Record<keyof WorkTerms, unknown>
  >
  for (const text of [work, done, failed])
    if (!isName(text)) return `it has the name ${show(text)}`
  if (name !== undefined && !isName(name)) return `it has the name ${show(name)}`
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0))
    return `it has the timeout ${show(timeout)}`
  if (retry !== undefined && (typeof retry !== 'object' || retry === null))
    return `it has ${show(retry)} as retry`
  return undefined
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
