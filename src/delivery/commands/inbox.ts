// The inbox: commands that are stored until their actor has carried them out.
//
// I1. A command is in the inbox from the moment its sender was told so until its outcome is
//     known: stored by the actor, or refused by it. A failure is tried again, with growing waits.
// I2. One actor's commands are carried out in the order in which they were stored.
// I3. Carrying out twice acts once, however long ago the first time was, and also when this node
//     was stopped meanwhile and others went on. One actor's commands are carried out in order:
//     so none behind one that is done was, at the version that it left, and it is looked for in
//     what came since. Where no such version is known, or it may have been sent before, it is looked
//     for back to the moment when it was sent.
// I4. What waiting does not mend is given up, as a dead letter (lost-commands.ts), and removed then.

import { formatAddress } from '../../model/address.js'
import { definedCauses } from '../../model/causes.js'
import { messageOf } from '../../model/errors.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import type { Version } from '../../model/version.js'
import type { Queue } from '../../store/queue/queue.js'
import type { DeadLetterReason } from '../dead-letters/dead-letters.js'
import { Group, type GroupOptions, type GroupStats, noGroup } from '../group/group.js'
import type { DeliveryAttempt, HandlingResult } from '../group/partition-processor.js'
import {
  CommandCrashed,
  giveUpCommand,
  hasCrashed,
  type DeadLetterCommand,
  abandonReason,
} from './give-up-command.js'
import { storedCommands, type Waiting } from './stored-commands.js'

/** Name of the group of nodes that carry stored commands out. */
export const inboxGroup = 'inbox'

export interface InboxOptions extends Omit<
  GroupOptions<unknown>,
  'name' | 'path' | 'source' | 'handle'
> {
  readonly queue: Queue
  readonly partitions: number
  readonly sender: Pick<CommandSender, 'ask'>
  readonly deadLetterCommand: DeadLetterCommand
}

/** What this node carries out of the namespace's stored commands. */
export interface InboxStats extends GroupStats {
  /** Commands that their actors have refused since the start. */
  readonly refused: number
}

export interface RunningInbox {
  stats(): InboxStats
  /** Finishes what is being carried out, for at most `timeout` ms, and leaves the rest to others. */
  stop(timeout: number): Promise<void>
}

export const noInbox: InboxStats = { ...noGroup, refused: 0 }

/** Takes part in carrying out the commands that are stored for actors. */
export function startInbox(options: InboxOptions): RunningInbox {
  const { queue, partitions, sender, deadLetterCommand, log, ...rest } = options
  const counters = { refused: 0 }
  const group = new Group({
    ...rest,
    name: inboxGroup,
    source: storedCommands(queue, partitions, (message, details) =>
      log('warn', message, details),
    ),
    handle: carrier({ queue, sender, deadLetterCommand, log, counters }),
    log,
  })
  group.start()
  return {
    stats: () => ({ ...group.stats(), refused: counters.refused }),
    stop: timeout => group.stop(timeout),
  }
}

/** Milliseconds for the first attempt to carry a command out; so much more for each further one. */
const attemptTimeout = 30_000
const attemptTimeoutMax = 600_000
/** Actors whose version is known, at most; for others it costs a reading of their last commits. */
const versionsMax = 10_000

interface CarrierOptions extends Pick<
  InboxOptions,
  'queue' | 'sender' | 'deadLetterCommand' | 'log'
> {
  readonly counters: { refused: number }
}

/** Carries a stored command to its actor, and removes it once its outcome is known (I1). */
function carrier({ queue, sender, deadLetterCommand, log, counters }: CarrierOptions) {
  /** The versions that commands have left, by actor: those used last at the end. */
  const versions = new Map<string, Version>()
  return async (
    { actor, command }: Waiting,
    attempt: DeliveryAttempt,
  ): Promise<HandlingResult> => {
    const { id: commandId, type, data, at, redrives = 0, isRepeat, ...causes } = command
    const { position, signal } = attempt
    const name = formatAddress(actor)
    // One that was given up, or sent before, may have been carried out before that version.
    const since = redrives > 0 || isRepeat ? undefined : versions.get(name)
    const about = { actor: name, command: type, commandId, position }
    const options: RedeliveryOptions = {
      ...definedCauses(causes),
      commandId,
      timeout: Math.min(attemptTimeoutMax, attemptTimeout * attempt.attempt),
      signal,
      ...(since === undefined ? { sentAt: at } : { notHandledAt: since }), // I3
    }
    // I4.
    const bury = async (
      reason: DeadLetterReason,
      error: unknown,
    ): Promise<HandlingResult> => {
      const what = 'A sent command cannot be carried out, and is a dead letter now'
      const why = { error, reason, attempt }
      const settled = await giveUpCommand(
        deadLetterCommand,
        { ...command, actor },
        why,
        details => log('error', what, { ...about, ...details }),
      )
      if (settled.kind === 'done') await queue.remove([position])
      return settled
    }
    if (hasCrashed(attempt)) return bury('crashed', new CommandCrashed())
    let left: Version | undefined
    try {
      const outcome = await sender.ask(actor, type, data, options)
      if (outcome.ok) left = outcome.version
      else {
        counters.refused++
        const { rejection } = outcome
        log('warn', 'A sent command was refused by its actor', { ...about, rejection })
      }
    } catch (error) {
      const lost = signal.aborted ? undefined : abandonReason(error, attempt)
      if (lost !== undefined) return bury(lost, error)
      if (!signal.aborted)
        log('warn', `A sent command has to wait: ${messageOf(error)}`, {
          ...about,
          attempt: attempt.attempt,
        })
      return { kind: 'again', error }
    }
    await queue.remove([position])
    // Only now: what is not removed may come again, and is looked for from before it then.
    if (left !== undefined) {
      versions.delete(name)
      versions.set(name, left)
      for (const oldest of versions.keys()) {
        if (versions.size <= versionsMax) break
        versions.delete(oldest)
      }
    }
    return { kind: 'done' }
  }
}
