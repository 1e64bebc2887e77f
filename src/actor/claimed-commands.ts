// The commands that a batch has claimed from the mailbox: what becomes of them with the batch.

import type { ActorAddress } from '../model/address.js'
import type { WriteLog } from '../model/log.js'
import type { Position, Version } from '../model/version.js'
import { runAfterCommit } from './after-commit.js'
import type { CommandBatch } from './command-batch.js'
import type { DuplicateDetector } from './duplicate-detector.js'
import { storesSomething } from './evaluation.js'
import type { QueuedCall } from './queued-call.js'

/** The batch is stored: sets the results of the calls and runs their actions after the commit. */
export function completeClaimed(
  claimed: readonly QueuedCall[],
  { members }: CommandBatch,
  position: Position,
  address: ActorAddress,
  log: WriteLog,
): void {
  for (const [i, queued] of claimed.entries()) {
    const { decision, version, outcome } = members[i + 1]!
    queued.result = {
      ok: true,
      outcome: outcome.ok ? { ...outcome, position } : outcome,
    }
    if (!decision.ok) continue
    const first = version - decision.events.length + 1
    runAfterCommit(decision, address, first, log)
  }
}

/** The batch lost to another writer: its commands are searched for in what was stored since. */
export function searchAgain(
  claimed: readonly QueuedCall[],
  { members }: CommandBatch,
  duplicates: DuplicateDetector,
  expected: Version,
  actual: Version,
): void {
  for (const [i, { pending }] of claimed.entries())
    if (pending?.search !== undefined && storesSomething(members[i + 1]!.decision))
      pending.search = duplicates.continueSearch(pending.search, expected, actual)
}

/** The position in the inbox that the commit of the commands carries, if it carried `carried` without them. */
export function inboxPositionWith(
  claimed: readonly QueuedCall[],
  duplicates: DuplicateDetector,
  carried: Position | undefined,
): Position | undefined {
  let position = carried
  for (const { pending } of claimed)
    position = duplicates.inboxPositionAfter(pending?.redelivery, position)
  return position
}
