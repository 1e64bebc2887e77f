// Errors as problem details (RFC 9457).

import { toJson } from '../codec/json.js'
import type { RejectedOutcome } from '../model/command-sender.js'
import { type CairnError, type ErrorCode, isCairnError } from '../model/errors.js'
import { etagOf } from './etag.js'

export const problemType = 'application/problem+json'

/** The status of each error code; 500 for the others. */
const statusByCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  aborted: 503,
  'answer-lost': 504,
  'actor-parked': 409,
  'actor-paused': 503,
  'actor-restarting': 503,
  'command-id-reused': 409,
  'commit-too-large': 413,
  contention: 503,
  'deadline-exceeded': 504,
  forbidden: 403,
  'invalid-actor-id': 400,
  'invalid-actor-type': 400,
  'invalid-command': 400,
  'invalid-data': 400,
  'invalid-message': 400,
  'invalid-option': 400,
  'invalid-token': 409,
  'mailbox-full': 429,
  'middleware-failed': 503,
  'namespace-in-use': 409,
  'no-node': 503,
  'not-owner': 503,
  'node-closed': 503,
  'outcome-unknown': 504,
  'queue-full': 429,
  'rate-limited': 429,
  'store-closed': 503,
  'store-unreachable': 503,
  'unknown-actor-type': 404,
  'unknown-command': 404,
  'unknown-consumer': 404,
  'unknown-dead-letter': 404,
  'unknown-namespace': 404,
  'unknown-version': 404,
  'version-behind': 503,
}

/** Codes of problems that arise in the door itself. */
export type DoorProblem =
  | 'not-authenticated'
  | 'forbidden'
  | 'foreign-host'
  | 'foreign-origin'
  | 'not-found'
  | 'method-not-allowed'
  | 'invalid-request'
  | 'unsupported-media-type'
  | 'body-too-large'
  | 'too-many-streams'
  | 'draining'
  | 'starting'
  | 'rejected'
  | 'version-conflict'
  | 'internal'

const doorStatus: Readonly<Record<DoorProblem, number>> = {
  'not-authenticated': 401,
  forbidden: 403,
  'foreign-host': 403,
  'foreign-origin': 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'invalid-request': 400,
  'unsupported-media-type': 415,
  'body-too-large': 413,
  'too-many-streams': 429,
  draining: 503,
  starting: 503,
  rejected: 409,
  'version-conflict': 412,
  internal: 500,
}

/** An answer of the door itself that is not a success. */
export class Problem extends Error {
  readonly code: DoorProblem
  readonly headers: Readonly<Record<string, string>>
  /** More members of the problem details. */
  readonly members: Readonly<Record<string, unknown>>
  /** In place of the status of its code. */
  readonly status: number | undefined

  constructor(
    code: DoorProblem,
    detail: string,
    more: {
      readonly headers?: Readonly<Record<string, string>>
      readonly members?: Readonly<Record<string, unknown>>
      readonly status?: number | undefined
    } = {},
  ) {
    super(detail)
    this.code = code
    this.headers = more.headers ?? {}
    this.members = more.members ?? {}
    this.status = more.status
  }
}

/** The problem of a command that was rejected; `isConflict` for one that expected another version. Default status: of its code. */
export function rejectedProblem(
  { rejection, version, commandId, correlationId }: RejectedOutcome,
  isConflict = false,
  status?: number,
): Problem {
  return new Problem(isConflict ? 'version-conflict' : 'rejected', rejection.message, {
    ...(isConflict && { headers: { etag: etagOf(version) } }),
    members: { rejection, version, commandId, correlationId },
    status,
  })
}

/** An answer that is no success. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

export function problemResponse(error: unknown): Response {
  const { status, headers, body } = answerOf(error)
  return new Response(problemJson(body), { status, headers })
}

/** A body as JSON. Details that user code gave, and that are no data, are left out. */
export function problemJson(body: Readonly<Record<string, unknown>>): string {
  try {
    return toJson(body)
  } catch {
    return toJson({ ...body, details: undefined, rejection: undefined })
  }
}

/** The status and the body of an error. What is neither ours nor the door's is not shown: it may hold anything. */
export function answerOf(error: unknown): Answer {
  if (error instanceof Problem)
    return answer(error.status ?? doorStatus[error.code], error.code, error.message, {
      retryable: doorStatus[error.code] === 503 || doorStatus[error.code] === 429,
      headers: error.headers,
      members: error.members,
    })
  if (isCairnError(error)) return cairnAnswer(error)
  return answer(
    500,
    'internal',
    'The request failed by a mistake of the server: its log has the cause.',
    { retryable: false },
  )
}

/** Whether an error is to be logged by the door: nobody else knows of it. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof Problem) && !isCairnError(error)
}

function cairnAnswer({ code, message, retryable, details }: CairnError): Answer {
  const { retryAfter } = details
  return answer(statusByCode[code] ?? 500, code, message, {
    retryable,
    ...(isDelay(retryAfter) && {
      headers: { 'retry-after': String(Math.ceil(retryAfter / 1_000)) },
    }),
    members: Object.keys(details).length > 0 ? { details } : {},
  })
}

/** The details of an error may be an application's own. */
function isDelay(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < Infinity
}

interface ProblemParts {
  readonly retryable: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly members?: Readonly<Record<string, unknown>>
}

function answer(
  status: number,
  code: string,
  detail: string,
  { retryable, headers = {}, members = {} }: ProblemParts,
): Answer {
  const body = {
    type: `urn:cairn:problem:${code}`,
    title: code.replaceAll('-', ' '),
    status,
    detail,
    code,
    retryable,
    ...members,
  }
  const retryAfter: Record<string, string> =
    retryable && (status === 429 || status === 503) ? { 'retry-after': '1' } : {}
  return {
    status,
    headers: { 'content-type': problemType, ...retryAfter, ...headers },
    body,
  }
}
