import type { Causes } from '../model/commit.js'

/** Only the ids that tie a command to what caused it, and only those that are there. */
export function causesOf(causes: Causes): Causes {
  return withCauses({}, causes)
}

/** The target itself, with those of the ids that are there. */
export function withCauses<Target extends object>(
  target: Target,
  { correlationId, causationId, traceparent }: Causes,
): Target & Causes {
  const caused: Target & { -readonly [Key in keyof Causes]: Causes[Key] } = target
  if (correlationId !== undefined) caused.correlationId = correlationId
  if (causationId !== undefined) caused.causationId = causationId
  if (traceparent !== undefined) caused.traceparent = traceparent
  return caused
}
