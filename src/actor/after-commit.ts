// Runs the actions of a decision after its commit: once, on the node that stored it, never on a replay.
//
// The events are stored already, so a failure here is logged and affects nothing else.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { AcceptedDecision } from '../model/behavior.js'
import { messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Version } from '../model/version.js'

export function runAfterCommit(
  { afterCommit }: Pick<AcceptedDecision, 'afterCommit'>,
  actor: ActorAddress,
  firstVersion: Version,
  log: WriteLog,
): void {
  if (afterCommit === undefined) return
  const name = formatAddress(actor)
  const failed = (what: string, error: unknown) =>
    log('error', `${what} of ${name} failed: ${messageOf(error)}`, {
      actor: name,
      version: firstVersion,
    })
  try {
    afterCommit({ actor, firstVersion, failed })
  } catch (error) {
    failed('the actions after a commit', error)
  }
}
