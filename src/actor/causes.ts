// The ids that link a command to its cause.

import { correlationOf } from '../model/causes.js'
import type { CommandIds } from '../model/command-sender.js'
import type { Causes, GivenCauses } from '../model/commit.js'
import type { Writable } from '../model/writable.js'

/** Only the ids that link a command to its cause, without the undefined ones. */
export function causesOf(causes: GivenCauses): Causes {
  return withCauses({}, causes)
}

/** The ids of a command in its outcome. Readers of its events and messages derive the same correlation id. */
export function commandIdsOf(
  commandId: string,
  { correlationId }: { readonly correlationId?: string | undefined },
): CommandIds {
  return { commandId, correlationId: correlationOf(correlationId, commandId) }
}

/** Adds the defined ids to `target` itself and returns it. */
export function withCauses<Target extends object>(
  target: Target,
  { correlationId, causationId, traceparent, principal }: GivenCauses,
): Target & Causes {
  const result: Target & Writable<Causes> = target
  if (correlationId !== undefined) result.correlationId = correlationId
  if (causationId !== undefined) result.causationId = causationId
  if (traceparent !== undefined) result.traceparent = traceparent
  if (principal !== undefined) result.principal = principal
  return result
}
