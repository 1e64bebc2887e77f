// Every error that Cairn throws, in one table.
//
// Expected outcomes (a version conflict, a rejected command) are results, not errors. An error message
// says what happened, to what, and what to do about it. The `code` is stable, and `retryable` says
// whether the same call may succeed later.

import { isError, propertyOf } from './thrown.js'

/** Every code, and whether the same call may succeed later without any change. */
const retryableByCode = {
  aborted: false,
  'answer-lost': true,
  'actor-parked': false,
  'actor-paused': true,
  'actor-restarting': true,
  'command-id-reused': false,
  'commit-too-large': false,
  contention: true,
  'damaged-file': false,
  'deadline-exceeded': true,
  'decide-failed': false,
  forbidden: false,
  'foreign-directory': false,
  'foreign-stream': false,
  'invalid-actor-id': false,
  'invalid-actor-type': false,
  'invalid-command': false,
  'invalid-data': false,
  'invalid-definition': false,
  'invalid-event': false,
  'invalid-message': false,
  'invalid-namespace': false,
  'invalid-option': false,
  'invalid-timer': false,
  'invalid-token': false,
  'mailbox-full': true,
  'middleware-failed': true,
  'namespace-in-use': false,
  'no-jetstream': false,
  'no-node': true,
  'not-owner': true,
  'node-closed': false,
  'outcome-unknown': true,
  'queue-full': true,
  'rate-limited': true,
  'remote-failure': false,
  'server-too-old': false,
  'storage-failed': false,
  'store-closed': false,
  'store-unreachable': true,
  unauthorized: false,
  'unknown-actor-type': false,
  'unknown-command': false,
  'unknown-consumer': false,
  'unknown-dead-letter': false,
  'unknown-namespace': false,
  'unknown-version': false,
  'version-behind': true,
} as const satisfies Record<string, boolean>

/** Stable, documented identity of an error: branch on this, never on the message. */
export type ErrorCode = keyof typeof retryableByCode

export interface CairnErrorOptions {
  /** The error that caused this one. */
  readonly cause?: unknown
  /** Values for programs, such as `{ namespace }` or `{ limit, actual }`. The error holds a copy. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** The only error class. `isCairnError` recognises it across copies of the package. */
export class CairnError extends Error {
  override readonly name = 'CairnError'
  readonly code: ErrorCode
  /** True when the same call may succeed later without any change by the caller. */
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: CairnErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = retryableByCode[code]
    this.details = ownDetails(options.details)
  }
}

/**
 * An error for work that was refused by load. It has no stack: under load many are made, and each stack would cost more
 * than all else that is done for them; where it was refused says nothing.
 */
export function refusal(
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, unknown>>,
): CairnError {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return new CairnError(code, message, { details })
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/**
 * True for an error of this package, from any loaded copy of it; with `code`, only for that code. False for a
 * thrown value that only resembles one: it lacks a message or details, or they cannot be read.
 */
export function isCairnError(error: unknown, code?: ErrorCode): error is CairnError {
  if (!isError(error) || propertyOf(error, 'name') !== 'CairnError') return false
  const found = propertyOf(error, 'code')
  if (code === undefined ? !isErrorCode(found) : found !== code) return false
  const details = propertyOf(error, 'details')
  const isWhole =
    typeof propertyOf(error, 'message') === 'string' &&
    typeof propertyOf(error, 'retryable') === 'boolean'
  return (
    isWhole &&
    typeof details === 'object' &&
    details !== null &&
    copyOf(details) !== undefined
  )
}

/** The details that user code gives may be a proxy, or have getters that throw; what an error holds can be read. */
function ownDetails(
  details: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const copy = copyOf(details)
  if (copy !== undefined) return copy
  try {
    return Object.fromEntries(
      Object.keys(details).map(key => [key, propertyOf(details, key)]),
    )
  } catch {
    return {}
  }
}

function copyOf(details: object): Record<string, unknown> | undefined {
  try {
    return { ...details }
  } catch {
    return undefined
  }
}

/** True if the table has `code`; used for errors that arrive from another process. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(retryableByCode, code)
}

export { messageOf } from './thrown.js'
