// The ids that link a command to its cause.

import type { Causes } from '../model/commit.js'
import type { Writable } from './writable.js'

/** Only the ids that link a command to its cause, without the undefined ones. */
export function causesOf(causes: Causes): Causes {
  return withCauses({}, causes)
}

/** Adds the defined ids to `target` itself and returns it. */
export function withCauses<Target extends object>(
  target: Target,
  { correlationId, causationId, traceparent }: Causes,
): Target & Causes {
  const result: Target & Writable<Causes> = target
  if (correlationId !== undefined) result.correlationId = correlationId
  if (causationId !== undefined) result.causationId = causationId
  if (traceparent !== undefined) result.traceparent = traceparent
  return result
}
