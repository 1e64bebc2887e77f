import type { Causes } from '../model/commit.js'

/** Only the ids that tie a command to what caused it, and only those that are there. */
export function causesOf({ correlationId, causationId, traceparent }: Causes): Causes {
  return {
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}
