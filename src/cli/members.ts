// The members of a namespace, as a command of the command line sees them.

import type { OpenNamespace } from '../backend/backend.js'
import type { Member, Membership } from '../cluster/membership.js'
import { pause } from '../model/wait.js'

/** The list of members is complete after this many milliseconds without a new one. */
const quiet = 400

/** Joins as an observer while `work` runs, which begins once the list of members is complete. */
export async function joined<T>(
  open: OpenNamespace,
  signal: AbortSignal,
  work: (membership: Membership) => T | Promise<T>,
): Promise<T> {
  const membership = await open.join()
  try {
    let known = -1
    while (membership.members().length !== known && !signal.aborted) {
      known = membership.members().length
      await pause(quiet, signal)
    }
    return await work(membership)
  } finally {
    await membership.close()
  }
}

export function readMembers(
  open: OpenNamespace,
  signal: AbortSignal,
): Promise<readonly Member[]> {
  return joined(open, signal, membership => membership.members())
}
