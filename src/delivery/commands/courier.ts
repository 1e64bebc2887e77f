// The courier: carries out the commands that commits say, and sets their timers.
//
// Every node takes part, whatever it hosts; each commit is one node's to carry out.
// C1. A command is carried out at least once, by an id derived from its commit, and acts once: it
//     is looked for in all that its actor has stored since that commit, however long ago that is.
// C2. What one actor says is carried out in the order in which it said it.
// C3. A commit whose command cannot be carried out yet is tried again; until then what its actor
//     said later waits, and nothing else does. What waiting does not mend is given up, as a dead
//     letter (lost-commands.ts).
// C4. A timer is set, or cancelled, as the setting of its commit: doing so twice, or after a newer
//     one, changes nothing (timers T1, T3). Of what one commit says of a name the last counts.

import { isForCourier } from '../../codec/outbox.js'
import { formatAddress } from '../../model/address.js'
import { correlationOf, validTraceparent } from '../../model/causes.js'
import type { StoredCommit } from '../../model/commit.js'
import { messageOf } from '../../model/errors.js'
import { type OutboxEntry, outboxEntryId } from '../../model/outbox.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import { generationOf } from '../../model/timer.js'
import type { Timers } from '../../store/timers/timers.js'
import type { DeadLetterReason } from '../dead-letters/dead-letters.js'
import { Group, type GroupOptions, type GroupStats, noGroup } from '../group/group.js'
import type { DeliveryAttempt, HandlingResult } from '../group/partition-processor.js'
import { logSource, type LogSourceOptions } from '../group/log-source.js'
import {
  CommandCrashed,
  giveUpCommand,
  hasCrashed,
  type DeadLetterCommand,
  abandonReason,
} from './give-up-command.js'
import { deferredRecord, type Unreadable } from '../group/source.js'

/** Name of the group of nodes that carry out what commits say. */
export const courierGroup = 'courier'

export interface CourierOptions
  extends
    Omit<GroupOptions<unknown>, 'name' | 'path' | 'source' | 'handle'>,
    Pick<LogSourceOptions<StoredCommit>, 'store' | 'bus' | 'partitions'> {
  readonly sender: Pick<CommandSender, 'ask'>
  readonly timers: Pick<Timers, 'set' | 'cancel'>
  readonly deadLetterCommand: DeadLetterCommand
}

/** What this node carries out of the commands in commits. */
export interface CourierStats extends GroupStats {
  /** Commands that their actors have refused since the start. */
  readonly refused: number
}

export interface Courier {
  stats(): CourierStats
  stop(timeout: number): Promise<void>
}

export const noCourier: CourierStats = { ...noGroup, refused: 0 }

/** Milliseconds for one attempt to carry a command out. */
const attemptTimeout = 30_000

export function startCourier(options: CourierOptions): Courier {
  const { store, bus, partitions, sender, timers, deadLetterCommand, ...rest } = options
  const counters = { refused: 0 }
  const group = new Group<StoredCommit | Unreadable>({
    ...rest,
    name: courierGroup,
    source: logSource({
      store,
      bus,
      partitions,
      wants: header => isForCourier(header.outboxTargets),
      pick: commit =>
        commit.outbox?.some(({ kind }) => kind !== 'message') ? commit : undefined,
      log: rest.log,
    }),
    handle: async (commit, attempt) =>
      commit.kind === 'unreadable'
        ? deferredRecord(commit)
        : carryOut(commit, attempt, {
            sender,
            timers,
            deadLetterCommand,
            log: rest.log,
            counters,
          }),
  })
  group.start()
  return {
    stats: () => ({ ...group.stats(), refused: counters.refused }),
    stop: timeout => group.stop(timeout),
  }
}

interface CourierPorts extends Pick<
  CourierOptions,
  'sender' | 'timers' | 'deadLetterCommand' | 'log'
> {
  readonly counters: { refused: number }
}

/** C2. A commit that fails half way is begun again: what is done already acts once (C1). */
async function carryOut(
  commit: StoredCommit,
  attempt: DeliveryAttempt,
  means: CourierPorts,
): Promise<HandlingResult> {
  for (const [index, said] of commit.outbox!.entries()) {
    const settled =
      said.kind === 'command'
        ? await carryCommand(commit, index, said, attempt, means)
        : said.kind === 'message' || isReplaced(commit.outbox!, index) // C4
          ? done
          : await carryTimer(commit, index, said, attempt, means)
    if (settled.kind === 'again') return settled
  }
  return done
}

const done: HandlingResult = { kind: 'done' }

async function carryTimer(
  commit: StoredCommit,
  index: number,
  said: Extract<OutboxEntry, { kind: 'timer' | 'cancel' }>,
  { attempt, position, signal }: DeliveryAttempt,
  { timers, log }: CourierPorts,
): Promise<HandlingResult> {
  const { actor } = commit
  const { name } = said
  const generation = generationOf(commit.firstVersion, index)
  const bounds = { timeout: attemptTimeout, signal }
  try {
    if (said.kind === 'cancel') await timers.cancel(actor, name, generation, bounds)
    else {
      const { kind: _, ...rest } = said
      const setting = { actor, generation, occurrence: 0, commitPosition: position }
      await timers.set({ ...rest, ...setting, ...causesOf(commit, index) }, bounds)
    }
    return done
  } catch (error) {
    if (!signal.aborted)
      log('warn', `A timer that a commit says has to wait: ${messageOf(error)}`, {
        actor: formatAddress(actor),
        timer: name,
        attempt,
      })
    return { kind: 'again', error }
  }
}

/** C3. */
async function carryCommand(
  commit: StoredCommit,
  index: number,
  { actor, type, data }: Extract<OutboxEntry, { kind: 'command' }>,
  attempt: DeliveryAttempt,
  { sender, deadLetterCommand, log, counters }: CourierPorts,
): Promise<HandlingResult> {
  const { position, signal } = attempt
  const { at, nodeId } = commit
  const causes = causesOf(commit, index)
  const commandId = causes.causationId
  const about = {
    from: formatAddress(commit.actor),
    actor: formatAddress(actor),
    command: type,
    commandId,
  }
  const bury = (reason: DeadLetterReason, error: unknown) => {
    const command = { id: commandId, actor, type, data, at, nodeId, from: commit.actor }
    const what = 'A command that a commit says is a dead letter now'
    const why = { error, reason, attempt }
    return giveUpCommand(deadLetterCommand, { ...causes, ...command }, why, details =>
      log('error', what, { ...about, ...details }),
    )
  }
  if (hasCrashed(attempt)) return bury('crashed', new CommandCrashed())
  const bounds = { timeout: attemptTimeout, signal, commitPosition: position }
  const options: RedeliveryOptions = { commandId, ...causes, ...bounds }
  try {
    const outcome = await sender.ask(actor, type, data, options)
    if (outcome.ok) return done
    counters.refused++
    const { rejection } = outcome
    log('warn', 'A command that a commit says was refused', { ...about, rejection })
    return done
  } catch (error) {
    if (signal.aborted) return { kind: 'again', error }
    const reason = abandonReason(error, attempt)
    if (reason !== undefined) return bury(reason, error)
    log('warn', `A command that a commit says has to wait: ${messageOf(error)}`, {
      ...about,
      attempt: attempt.attempt,
    })
    return { kind: 'again', error }
  }
}

/** What is said is caused by the commit, and is itself the cause of what it leads to. */
function causesOf(commit: StoredCommit, index: number) {
  const { actor, firstVersion, correlationId, command, id } = commit
  return {
    correlationId: correlationOf(correlationId, command?.id, id),
    causationId: outboxEntryId(actor, firstVersion, index),
    ...validTraceparent(commit),
  }
}

/** Whether the same commit says something of the same timer behind it. */
function isReplaced(says: readonly OutboxEntry[], index: number): boolean {
  const nameOf = (said: OutboxEntry) =>
    said.kind === 'timer' || said.kind === 'cancel' ? said.name : undefined
  const name = nameOf(says[index]!)
  return says.slice(index + 1).some(said => nameOf(said) === name)
}
