// The courier: delivers the commands in the outboxes of commits, and sets their timers.
//
// Every node takes part, whatever it hosts; each commit is processed by one node.
// COURIER-1. A command is delivered at least once, under an id derived from its commit, and takes effect once: its actor
//     looks for the id in all that it has stored since that commit, however long ago that is.
// COURIER-2. The commands of one actor are delivered in the order in which it sent them.
// COURIER-3. A commit whose command cannot be delivered yet is retried. Later commits of its actor wait until then, and
//     no others. A command that waiting cannot fix is given up (COMMAND-DELIVERY-1).
// COURIER-4. A timer is set or cancelled under the generation of its commit: doing so twice, or after a newer one,
//     changes nothing. Of several entries of one commit for one name, the last one counts.

import { isForCourier } from '../../codec/outbox.js'
import { answersOf } from '../../model/answers.js'
import { formatAddress } from '../../model/address.js'
import { correlationOf, carriedCauses } from '../../model/causes.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import { carryOn, type TraceOrigin } from '../../model/trace.js'
import type { StoredCommit } from '../../model/commit.js'
import { isCairnError, messageOf } from '../../model/errors.js'
import { type OutboxEntry, outboxEntryId } from '../../model/outbox.js'
import { generationOf } from '../../model/timer.js'
import type { Timers } from '../../store/timers/timers.js'
import {
  emptyGroupStats,
  Group,
  type GroupOptions,
  type GroupStats,
} from '../group/group.js'
import {
  type DeliveryAttempt,
  done,
  type HandlingResult,
  retryUnreadable,
} from '../group/handling.js'
import { logSource, type LogSourceOptions } from '../source/log-source.js'
import type { UnreadableRecord } from '../source/record-source.js'
import type { StoreCommandDeadLetter } from './command-dead-letters.js'
import { deliverAndAnswer, type RejectionCounters } from './answer.js'

/** Name of the group of nodes that process the outboxes of commits. */
export const courierGroup = 'courier'

export interface CourierOptions
  extends
    Omit<GroupOptions<unknown>, 'name' | 'path' | 'source' | 'handle'>,
    Pick<LogSourceOptions<StoredCommit>, 'store' | 'bus' | 'partitions'> {
  readonly sender: Pick<CommandSender, 'ask'>
  readonly timers: Pick<Timers, 'set' | 'cancel'>
  readonly storeDeadLetter: StoreCommandDeadLetter
  readonly origin: TraceOrigin
}

/** This node's part in delivering the commands of commits. */
export interface CourierStats extends GroupStats {
  /** Commands that their actors have rejected since the start. */
  readonly rejected: number
  /** Of these, the ones whose senders were not told: they have no `refused`, or it was rejected. */
  readonly unheard: number
}

export interface RunningCourier {
  /** As {@link Group.unsettled}. */
  unsettled(signal: AbortSignal): Promise<string | undefined>
  stats(): CourierStats
  /** Finishes the commits in progress, for at most `timeout` ms, and leaves the rest to other nodes. */
  stop(timeout: number): Promise<void>
}

export const emptyCourierStats: CourierStats = {
  ...emptyGroupStats,
  rejected: 0,
  unheard: 0,
}

/** Milliseconds for one attempt to deliver a command. */
const attemptTimeout = 30_000

export function startCourier(options: CourierOptions): RunningCourier {
  const { store, bus, partitions, sender, timers, storeDeadLetter, origin, ...rest } =
    options
  const counters = { rejected: 0, unheard: 0 }
  const { log } = rest
  const ports: CourierPorts = {
    store,
    sender,
    timers,
    storeDeadLetter,
    origin,
    log,
    counters,
  }
  const group = new Group<StoredCommit | UnreadableRecord>({
    ...rest,
    name: courierGroup,
    source: logSource({
      store,
      bus,
      partitions,
      matches: header => isForCourier(header.outboxTargets),
      select: commit =>
        commit.outbox?.some(entry => entry.kind === 'command' || isOfTimer(entry))
          ? commit
          : undefined,
      log: rest.log,
    }),
    handle: async (commit, attempt) =>
      commit.kind === 'unreadable'
        ? retryUnreadable(commit)
        : deliverOutbox(commit, attempt, ports),
  })
  group.start()
  return {
    unsettled: signal => group.unsettled(signal),
    stats: () => ({ ...group.stats(), ...counters }),
    stop: timeout => group.stop(timeout),
  }
}

interface CourierPorts extends Pick<
  CourierOptions,
  'store' | 'sender' | 'timers' | 'storeDeadLetter' | 'origin' | 'log'
> {
  readonly counters: RejectionCounters
}

/** COURIER-2. A retry starts with the first entry again: entries that were processed take effect once. */
async function deliverOutbox(
  commit: StoredCommit,
  attempt: DeliveryAttempt,
  ports: CourierPorts,
): Promise<HandlingResult> {
  const outbox = commit.outbox!
  for (const [index, entry] of outbox.entries()) {
    const result =
      entry.kind === 'command'
        ? await deliverOutboxCommand(commit, index, entry, attempt, ports)
        : isOfTimer(entry) && !isReplaced(outbox, index) // COURIER-4
          ? await changeTimer(commit, index, entry, attempt, ports)
          : done
    if (result.kind === 'retry') return result
  }
  return done
}

type TimerEntry = Extract<OutboxEntry, { kind: 'timer' | 'cancel' }>

function isOfTimer(entry: OutboxEntry): entry is TimerEntry {
  return entry.kind === 'timer' || entry.kind === 'cancel'
}

async function changeTimer(
  commit: StoredCommit,
  index: number,
  entry: TimerEntry,
  { attempt, position, signal }: DeliveryAttempt,
  { timers, log }: CourierPorts,
): Promise<HandlingResult> {
  const { actor } = commit
  const { name } = entry
  const generation = generationOf(commit.firstVersion, index)
  const bounds = { timeout: attemptTimeout, signal }
  try {
    if (entry.kind === 'cancel') await timers.cancel(actor, name, generation, bounds)
    else {
      const { kind: _, ...rest } = entry
      const setting = { actor, generation, occurrence: 0, commitPosition: position }
      await timers.set({ ...rest, ...setting, ...causesOf(commit, index) }, bounds)
    }
    return done
  } catch (error) {
    if (!signal.aborted && !isCairnError(error, 'foreign-stream'))
      log('warn', `A timer of a commit is retried: ${messageOf(error)}`, {
        actor: formatAddress(actor),
        timer: name,
        attempt,
      })
    return { kind: 'retry', error }
  }
}

/** COURIER-3. */
function deliverOutboxCommand(
  commit: StoredCommit,
  index: number,
  entry: Extract<OutboxEntry, { kind: 'command' }>,
  attempt: DeliveryAttempt,
  ports: CourierPorts,
): Promise<HandlingResult> {
  const { actor, type, data } = entry
  const { sender, storeDeadLetter, origin, log } = ports
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
  const delivery = {
    attempt,
    origin,
    group: courierGroup,
    timeout: attemptTimeout,
    storeDeadLetter,
    log,
    about,
    rejectedText: 'A command of a commit was rejected by its actor',
    retryText: 'A command of a commit is retried',
    giveUpText: 'A command of a commit was given up as a dead letter',
    toUndeliverable: () => ({
      ...causes,
      id: commandId,
      actor,
      type,
      data,
      at,
      sentAfter: position,
      nodeId,
      from: commit.actor,
      ...answersOf(entry),
    }),
    deliver(traceparent: string | undefined) {
      const redelivery = { sentAfter: position }
      const bounds = { timeout: attemptTimeout, signal }
      const traced = carryOn(causes, traceparent)
      const options: RedeliveryOptions = { commandId, redelivery, ...traced, ...bounds }
      return sender.ask(actor, type, data, options)
    },
  }
  return deliverAndAnswer(delivery, ports)
}

/** An outbox entry is caused by its commit, and is the cause of its own effects. */
export function causesOf(commit: StoredCommit, index: number) {
  const { actor, firstVersion, correlationId, command, id } = commit
  return {
    correlationId: correlationOf(correlationId, command?.id, id),
    causationId: outboxEntryId(actor, firstVersion, index),
    ...carriedCauses(commit),
  }
}

/** Whether a later entry of the same commit is for the same timer. */
function isReplaced(outbox: readonly OutboxEntry[], index: number): boolean {
  const timerOf = (entry: OutboxEntry) =>
    entry.kind === 'timer' || entry.kind === 'cancel' ? entry.name : undefined
  const name = timerOf(outbox[index]!)
  return outbox.slice(index + 1).some(entry => timerOf(entry) === name)
}
