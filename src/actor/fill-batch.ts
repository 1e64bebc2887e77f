// Decides commands that wait, so that they are stored with one that is about to be stored.

import type { Decision } from '../model/behavior.js'
import type { ActorSubject } from './actor-ports.js'
import { type BatchMember, CommandBatch } from './command-batch.js'
import { acceptedOutcome, rejectedOutcome } from './decide.js'
import type { DuplicateDetector } from './duplicate-detector.js'
import { evaluateNew, mayHaveChangedState } from './evaluation.js'
import type { Life, Running } from './life.js'
import type { Mailbox } from './mailbox.js'
import type { PendingCommand, QueuedCall } from './queued-call.js'

/** What filling a batch uses of the actor. */
export interface BatchSource {
  readonly subject: ActorSubject
  readonly life: Life
  readonly duplicates: DuplicateDetector
  readonly mailbox: Mailbox<QueuedCall>
}

/**
 * Decides the commands that wait after `first`, as long as they can be stored with it (COMMAND-LOOP-3), and claims them.
 * The others stay in the mailbox. Returns `undefined` when a behavior threw and may have changed the tentative state:
 * then each command must be processed separately.
 * @param tentative the state after `first`
 */
export function fillBatch(
  source: BatchSource,
  first: BatchMember,
  running: Running,
  tentative: unknown,
  now: number,
): CommandBatch | undefined {
  const { subject, duplicates, mailbox } = source
  const { commitCommandsMax } = subject.definition.options
  const batch = new CommandBatch(first, tentative, commitCommandsMax)
  const firstOutbox = first.decision.ok ? first.decision.outbox : undefined
  while (firstOutbox === undefined && !batch.isFull) {
    const { next } = mailbox
    // A timer's command needs a search of the log.
    if (next?.pending === undefined || next.pending.redelivery?.firing !== undefined)
      break
    const { pending, call } = next
    const { command, isNew, redelivery, digest } = pending
    // A call that has ended has left the mailbox. Nothing begins after its deadline.
    call.checkDeadline()
    if (call.hasEnded) continue
    pending.search ??= duplicates.startSearch(command.id, isNew, redelivery, digest)
    const isKnownNew = duplicates.isKnownNew(pending.search, running.folded)
    if (batch.has(command.id) || !isKnownNew) break
    const { state, version } = batch
    const folded = { ...running.folded, state, version }
    const evaluation = evaluateNew(subject, command, folded, now)
    if (mayHaveChangedState(evaluation)) return undefined
    if (evaluation.kind !== 'decided' || !batch.hasRoomFor(command, evaluation.decision))
      break
    try {
      addToBatch(source, batch, running, pending, evaluation.decision, now)
    } catch {
      // Processed separately, the command fails with its own error.
      return undefined
    }
    mailbox.claim()
  }
  return batch
}

/** Throws the errors of the fold and of computing the reply. */
function addToBatch(
  { subject, life }: BatchSource,
  batch: CommandBatch,
  running: Running,
  { command, digest }: PendingCommand,
  decision: Decision,
  now: number,
): void {
  const { address, ports } = subject
  const { folded } = running
  const { version: before } = batch
  let { state, version } = batch
  if (!decision.ok) {
    const outcome = rejectedOutcome(address, command, decision, { version })
    return batch.add({ command, digest, decision, version, outcome }, state)
  }
  if (decision.events.length > 0) {
    const events = { list: decision.events, at: now, nodeId: ports.nodeId }
    const from = { ...folded, state, version: before }
    state = life.foldOnto(running, from, command, events)
    version += decision.events.length
  }
  const after = { state, version, position: folded.position }
  const outcome = acceptedOutcome(address, command, decision, after)
  batch.add({ command, digest, decision, version, outcome }, state)
}
