// problemOf(): the answers of this door to errors and rejections, for applications that answer requests themselves.

import type { Rejection } from '../model/behavior.js'
import type { CommandIds, RejectedOutcome } from '../model/command-sender.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount, type Version } from '../model/version.js'
import { answerOf, type Problem, problemJson, rejectedProblem } from './problem.js'

/** Problem details (RFC 9457), with the members of Cairn. More members depend on the code. */
export interface ProblemDetails {
  /** `urn:cairn:problem:CODE` */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Stable: branch on this. */
  readonly code: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  readonly [member: string]: unknown
}

/** An answer to a request: `new Response(JSON.stringify(body), { status, headers })`. */
export interface ProblemAnswer {
  readonly status: number
  /** `content-type`, and `retry-after` or `etag` where they belong. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: ProblemDetails
}

/** The rejections that a failure may have. */
type RejectionIn<Failure> = Failure extends {
  readonly ok: false
  readonly rejection: infer Reason extends Rejection
}
  ? Reason
  : never

type KnownRejection<Failure> = [RejectionIn<Failure>] extends [never]
  ? Rejection
  : RejectionIn<Failure>

/** Options of `problemOf`. */
export interface ProblemOptions<Reason extends Rejection = Rejection> {
  /**
   * The status of a rejection, 400 to 599: one for all, one by its code (`{ 'not-yours': 403 }`), or a function. Default, also
   * for `undefined` and for a code that is not listed: 409. A conflict with `expectedVersion` stays 412.
   */
  readonly status?:
    | number
    | { readonly [Code in Reason['code']]?: number | undefined }
    | ((rejection: Reason) => number | undefined)
    | undefined
}

const names: OptionNames<ProblemOptions> = { status: true }

/**
 * What the door answers for an error, or for the outcome of a command that was rejected: a `CairnError` has the status of its
 * code, a rejection 409 or what the option `status` says, a conflict with `expectedVersion` 412 and the actor's version as
 * `etag`. Any other value is 500 with the code `internal`, and nothing of it is shown: log it. Throws `invalid-option`.
 *
 * ```ts
 * try {
 *   const outcome = await ref.ask('confirm')
 *   if (!outcome.ok) return answer(problemOf(outcome, { status: { 'not-yours': 403 } }))
 * } catch (error) {
 *   return answer(problemOf(error))
 * }
 * ```
 */
export function problemOf<Failure>(
  failure: Failure,
  options: ProblemOptions<KnownRejection<Failure>> = {},
): ProblemAnswer {
  const { status, headers, body } = answerOf(
    isRejected(failure)
      ? problemOfRejected(failure, statusOf(options, failure.rejection))
      : failure,
  )
  return { status, headers, body: JSON.parse(problemJson(body)) as ProblemDetails }
}

function problemOfRejected(
  outcome: RejectedOutcome & CommandIds,
  status: number | undefined,
): Problem {
  const isConflicting = isConflict(outcome.rejection)
  return rejectedProblem(outcome, isConflicting, isConflicting ? undefined : status)
}

/** Checks all statuses that are given, so that a mistake shows before the rejection that it concerns. */
function statusOf(options: object, rejection: Rejection): number | undefined {
  checkOptions('problemOf', options, names)
  const { status } = options as ProblemOptions
  if (typeof status === 'function')
    return checkStatus(status(rejection), 'what status of problemOf returned')
  if (typeof status !== 'object' || status === null)
    return checkStatus(status, 'status of problemOf')
  const byCode = new Map(
    Object.entries(status).map(([code, one]) => [
      code,
      checkStatus(one, `status of problemOf for ${show(code)}`),
    ]),
  )
  return byCode.get(rejection.code)
}

function checkStatus(status: unknown, what: string): number | undefined {
  if (status === undefined) return undefined
  if (Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599)
    return status as number
  throw new CairnError(
    'invalid-option',
    `${what} is ${show(status)}: use a whole number from 400 to 599, or undefined for 409.`,
  )
}

function isRejected(failure: unknown): failure is RejectedOutcome & CommandIds {
  return (
    typeof failure === 'object' &&
    failure !== null &&
    'ok' in failure &&
    failure.ok === false &&
    'rejection' in failure
  )
}

/** Whether the command expected another version: an actor's own code may have the same name. */
function isConflict({ code, details }: Rejection): boolean {
  if (code !== 'version-conflict') return false
  const { expected, actual } = (details ?? {}) as Readonly<Record<string, Version>>
  return isCount(expected) && isCount(actual)
}
