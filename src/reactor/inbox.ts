// The inbox: commands that are stored until their actor has carried them out.
//
// I1. A command is in the inbox from the moment its sender was told so until its outcome is
//     known: stored by the actor, or refused by it. A failure is tried again, with growing waits.
// I2. One actor's commands are carried out in the order in which they were stored.
// I3. Carrying out twice acts once, however long ago the first time was: a command that may
//     have been carried out before is looked for back to the moment it was sent.

import type { Documents } from '../documents/documents.js'
import { formatAddress } from '../model/address.js'
import type { Clock } from '../model/clock.js'
import { messageOf } from '../model/errors.js'
import type { CommandSender, SendOptions } from '../model/sender.js'
import type { Queue } from '../queue/queue.js'
import { Group, type GroupStats, type LaneClaims } from './group.js'
import type { Attempt, Settled } from './lane.js'
import type { LaneOwner } from './lane-state.js'
import { storedCommands, type Waiting } from './stored-commands.js'

/** Name of the group of nodes that carry stored commands out. */
export const inboxGroup = 'inbox'

export interface InboxOptions {
  readonly queue: Queue
  readonly partitions: number
  readonly documents: Documents
  readonly claims: LaneClaims
  readonly self: LaneOwner
  readonly sender: Pick<CommandSender, 'ask'>
  readonly clock: Clock
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    details: object,
  ) => void
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

export const noInbox: InboxStats = {
  lanes: 0,
  open: 0,
  failing: 0,
  handled: 0,
  failures: 0,
  refused: 0,
}

/** Takes part in carrying out the commands that are stored for actors. */
export function startInbox(options: InboxOptions): RunningInbox {
  const { queue, partitions, sender, log, ...rest } = options
  const counters = { refused: 0 }
  const group = new Group({
    ...rest,
    name: inboxGroup,
    source: storedCommands(queue, partitions, (message, details) =>
      log('warn', message, details),
    ),
    handle: carrier({ queue, sender, log, counters }),
    log,
  })
  group.start()
  return {
    stats: () => ({ ...group.stats(), refused: counters.refused }),
    stop: timeout => group.stop(timeout),
  }
}

/** Milliseconds for one attempt to carry a command out. */
const attemptTimeout = 30_000

interface CarrierOptions {
  readonly queue: Queue
  readonly sender: Pick<CommandSender, 'ask'>
  readonly log: (level: 'info' | 'warn', message: string, details: object) => void
  readonly counters: { refused: number }
}

/** Carries a stored command to its actor, and removes it once its outcome is known (I1). */
function carrier({ queue, sender, log, counters }: CarrierOptions) {
  return async ({ actor, command }: Waiting, attempt: Attempt): Promise<Settled> => {
    const { id: commandId, type, data, at, nodeId: _, ...causes } = command
    const { position, mayBeRepeat, signal } = attempt
    const about = { actor: formatAddress(actor), command: type, commandId, position }
    const options: SendOptions = {
      ...withoutId(causes),
      commandId,
      timeout: attemptTimeout,
      signal,
      ...(mayBeRepeat && { sentAt: at }), // I3
    }
    try {
      const outcome = await sender.ask(actor, type, data, options)
      if (!outcome.ok) {
        counters.refused++
        const { rejection } = outcome
        log('warn', 'A sent command was refused by its actor', { ...about, rejection })
      }
    } catch (error) {
      if (!signal.aborted)
        log('warn', `A sent command has to wait: ${messageOf(error)}`, {
          ...about,
          attempt: attempt.attempt,
        })
      return { kind: 'again', error }
    }
    await queue.remove([position])
    return { kind: 'done' }
  }
}

function withoutId({ correlationId, causationId, traceparent }: SendOptions) {
  return {
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}
