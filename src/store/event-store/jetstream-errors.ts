// Errors of appends that end without being stored.

import { CairnError } from '../../model/errors.js'
import type { Connection } from '../../nats/connection.js'

/** `aborted` or `store-unreachable`: no attempt of the append was stored, nor may have been. */
export function notStored(
  connection: Connection,
  actors: string,
  why: string,
  start: number,
  signal: AbortSignal | undefined,
): CairnError {
  if (signal?.aborted)
    return new CairnError(
      'aborted',
      `Stopped appending to ${actors}: the caller's signal was aborted. Nothing was stored.`,
    )
  return new CairnError(
    'store-unreachable',
    `Could not append to ${actors}: ${connection.whySilent(start)} (${why}). ` +
      'Nothing was stored; the append may be repeated.',
  )
}
