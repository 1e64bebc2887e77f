// The parts that all consumer groups of a node share.

import type { RefPorts } from '../../actor/ref.js'
import { type GroupPlacement, groupPlacement } from '../../cluster/group-placement.js'
import type { Membership } from '../../cluster/membership.js'
import {
  commandDeadLetterStorer,
  type StoreCommandDeadLetter,
} from '../../delivery/commands/command-dead-letters.js'
import type { SerialExecutor } from '../../delivery/group/serial-executor.js'
import type { Clock } from '../../model/clock.js'
import type { Documents } from '../../store/documents/documents.js'
import { type AnySender, type NodeContext, traceOriginOf } from '../context.js'
import type { WriteLog } from '../../model/log.js'
import type { TraceOrigin } from '../../model/trace.js'
import { partLog } from '../log.js'

export interface GroupParts {
  readonly membership: () => Membership
  /** Failures are not counted: a group retries. */
  readonly sender: () => AnySender
  /** What references to actors need beside their senders. */
  readonly refPorts: Omit<RefPorts, 'sender' | 'durableSender'>
  /** One for all groups of the node. */
  readonly serialExecutor: SerialExecutor
}

/** The options of one group that do not depend on its work. */
export interface GroupBasics {
  readonly partitions: number
  readonly documents: Documents
  readonly assignment: GroupPlacement
  readonly self: { readonly id: string; readonly incarnation: number }
  readonly origin: TraceOrigin
  readonly sender: AnySender
  readonly clock: Pick<Clock, 'now'>
  readonly serialExecutor: SerialExecutor
  readonly log: WriteLog
  readonly onDamaged: (partition: number) => void
}

export function groupBasics(
  name: string,
  context: NodeContext,
  { membership, sender, serialExecutor }: GroupParts,
): GroupBasics {
  const { settings, open, incarnation, log, events } = context
  const { id, clock } = settings
  return {
    partitions: open.partitions,
    documents: open.documents,
    assignment: groupPlacement(membership(), id, name),
    self: { id, incarnation },
    origin: traceOriginOf(context),
    sender: sender(),
    // Without `wait`: retry delays use wall-clock time.
    clock: { now: () => clock.now() },
    serialExecutor,
    log: partLog(log, name),
    onDamaged: partition => events.emit('checkpoint-damaged', { group: name, partition }),
  }
}

/** Stores the commands that a group gives up as dead letters. */
export function deadLettersOf(
  name: string,
  { settings, deadLetters }: NodeContext,
): StoreCommandDeadLetter {
  return commandDeadLetterStorer(name, deadLetters, settings.clock)
}
