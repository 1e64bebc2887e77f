// The members of a namespace, as a command of the command line sees them.

import type { OpenNamespace } from '../backend/backend.js'
import type { Member } from '../cluster/membership.js'
import { pause } from '../model/wait.js'

/** The list of members is complete after this many milliseconds without a new one. */
const quiet = 400

/** Joins as an observer, and leaves. */
export async function readMembers(
  open: OpenNamespace,
  signal: AbortSignal,
): Promise<readonly Member[]> {
  const membership = await open.join()
  try {
    let known = -1
    while (membership.members().length !== known && !signal.aborted) {
      known = membership.members().length
      await pause(quiet, signal)
    }
    return membership.members()
  } finally {
    await membership.close()
  }
}
