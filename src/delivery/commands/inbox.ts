// The inbox: durable commands, which are stored until their actor has handled them.
//
// INBOX-1. A command is in the inbox from the acknowledgement of its send until its outcome is known: stored by
//     the actor, or rejected by it. After a failure it is retried with growing delays.
// INBOX-2. The commands of one actor are delivered in the order in which they were stored.
// INBOX-3. A command that is delivered twice takes effect once, however long ago the first time was, and also when this
//     node was suspended while others continued. The commands of one actor are handled in order: at the version that
//     one of them left, none of those after it was handled yet, so its id is looked for in later commits only. When no
//     such version is known, or the command may have been handled before, its id is looked for back to the time of
//     its send.
// INBOX-4. A command that waiting cannot fix is given up (COMMAND-DELIVERY-1), and removed after its dead letter is
//     stored.

import { formatAddress } from '../../model/address.js'
import { definedCauses } from '../../model/causes.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import type { Version } from '../../model/version.js'
import type { Queue } from '../../store/queue/queue.js'
import {
  emptyGroupStats,
  Group,
  type GroupOptions,
  type GroupStats,
} from '../group/group.js'
import { done, type RecordHandler } from '../group/handling.js'
import { type InboxCommand, inboxSource } from '../source/inbox-source.js'
import { attemptTimeoutOf } from './attempt-timeout.js'
import type { StoreCommandDeadLetter } from './command-dead-letters.js'
import { deliverCommand } from './command-delivery.js'

/** Name of the group of nodes that deliver stored commands. */
export const inboxGroup = 'inbox'

export interface InboxOptions extends Omit<
  GroupOptions<unknown>,
  'name' | 'path' | 'source' | 'handle'
> {
  readonly queue: Queue
  readonly partitions: number
  readonly sender: Pick<CommandSender, 'ask'>
  readonly storeDeadLetter: StoreCommandDeadLetter
}

/** This node's part in delivering stored commands. */
export interface InboxStats extends GroupStats {
  /** Commands that their actors have rejected since the start. */
  readonly rejected: number
}

export interface RunningInbox {
  stats(): InboxStats
  /** Finishes the commands in progress, for at most `timeout` ms, and leaves the rest to other nodes. */
  stop(timeout: number): Promise<void>
}

export const emptyInboxStats: InboxStats = { ...emptyGroupStats, rejected: 0 }

/** Actors whose version is remembered, at most; for other actors, their last commits are read. */
const versionsMax = 10_000

export function startInbox(options: InboxOptions): RunningInbox {
  const { queue, partitions, sender, storeDeadLetter, log, ...rest } = options
  const counters = { rejected: 0 }
  const group = new Group({
    ...rest,
    name: inboxGroup,
    source: inboxSource(queue, partitions, (message, details) =>
      log('warn', message, details),
    ),
    handle: inboxHandler({ queue, sender, storeDeadLetter, log, counters }),
    log,
  })
  group.start()
  return {
    stats: () => ({ ...group.stats(), rejected: counters.rejected }),
    stop: timeout => group.stop(timeout),
  }
}

interface InboxPorts extends Pick<
  InboxOptions,
  'queue' | 'sender' | 'storeDeadLetter' | 'log'
> {
  readonly counters: { rejected: number }
}

/** Delivers a stored command, and removes it when its outcome is known (INBOX-1). */
function inboxHandler(ports: InboxPorts): RecordHandler<InboxCommand> {
  const { queue, sender, storeDeadLetter, log, counters } = ports
  /** The version that the last command of an actor left; the last used actor is the last entry. */
  const versions = new Map<string, Version>()
  return async ({ actor, command }, attempt) => {
    const { id: commandId, type, data, at, redrives = 0, isRepeat, ...causes } = command
    const { position, signal } = attempt
    const name = formatAddress(actor)
    // A command that was given up or sent before may have been handled before that version.
    const notHandledAt = redrives > 0 || isRepeat ? undefined : versions.get(name)
    const about = { actor: name, command: type, commandId, position }
    let version: Version | undefined
    const result = await deliverCommand({
      attempt,
      storeDeadLetter,
      log,
      about,
      retryText: 'A durable command is retried',
      giveUpText: 'A durable command was given up as a dead letter',
      toUndeliverable: () => ({ ...command, actor }),
      async deliver() {
        const options: RedeliveryOptions = {
          ...definedCauses(causes),
          commandId,
          timeout: attemptTimeoutOf(attempt.attempt),
          signal,
          ...(notHandledAt === undefined ? { sentAt: at } : { notHandledAt }), // INBOX-3
        }
        const outcome = await sender.ask(actor, type, data, options)
        if (outcome.ok) version = outcome.version
        else {
          counters.rejected++
          const { rejection } = outcome
          log('warn', 'A durable command was rejected by its actor', {
            ...about,
            rejection,
          })
        }
      },
    })
    if (result.kind === 'retry') return result
    await queue.remove([position])
    // Not earlier: a command that is not removed may be delivered again, and is looked for from before its version.
    if (version !== undefined) {
      versions.delete(name)
      versions.set(name, version)
      for (const oldest of versions.keys()) {
        if (versions.size <= versionsMax) break
        versions.delete(oldest)
      }
    }
    return done
  }
}
