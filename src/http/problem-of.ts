// problemOf(): the answers of this door to errors and rejections, for applications that answer requests themselves.

import type { Rejection } from '../model/behavior.js'
import type { CommandIds, RejectedOutcome } from '../model/command-sender.js'
import { isCount, type Version } from '../model/version.js'
import { answerOf, problemJson, rejectedProblem } from './problem.js'

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

/**
 * What the door answers for an error, or for the outcome of a command that was rejected: a `CairnError` has the status of its
 * code, a rejection 409, a conflict with `expectedVersion` 412 and the actor's version as `etag`. Any other value is 500 with
 * the code `internal`, and nothing of it is shown: log it.
 *
 * ```ts
 * try {
 *   const outcome = await ref.ask('confirm')
 *   if (!outcome.ok) return answer(problemOf(outcome))
 * } catch (error) {
 *   return answer(problemOf(error))
 * }
 * ```
 */
export function problemOf(failure: unknown): ProblemAnswer {
  const { status, headers, body } = answerOf(
    isRejected(failure)
      ? rejectedProblem(failure, isConflict(failure.rejection))
      : failure,
  )
  return { status, headers, body: JSON.parse(problemJson(body)) as ProblemDetails }
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
