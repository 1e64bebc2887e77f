// The inbox: durable commands, which are stored until their actor has handled them.
//
// INBOX-1. A command is in the inbox from the acknowledgement of its send until its outcome is known: stored by
//     the actor, or rejected by it. After a failure it is retried with growing delays.
// INBOX-2. The commands of one actor are delivered in the order in which they were stored.
// INBOX-3. A command that is delivered twice takes effect once, however long ago the first time was, and also when this
//     node was suspended while others continued. The commands of one actor are handled in the order of their positions,
//     and its commits carry the highest one that it has handled: a command after that was not handled. Otherwise, and
//     for a command that was in the inbox before, its id is looked for in what was stored since it was first sent.
// INBOX-4. A command that waiting cannot fix is given up (COMMAND-DELIVERY-1), and removed after its dead letter is
//     stored.

import { formatAddress } from '../../model/address.js'
import { definedCauses } from '../../model/causes.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import { carryOn, type TraceOrigin } from '../../model/trace.js'
import type { EventStore } from '../../store/event-store/event-store.js'
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
import { type AnswerPorts, deliverAndAnswer } from './answer.js'

/** Name of the group of nodes that deliver stored commands. */
export const inboxGroup = 'inbox'

export interface InboxOptions extends Omit<
  GroupOptions<unknown>,
  'name' | 'path' | 'source' | 'handle'
> {
  readonly queue: Queue
  readonly partitions: number
  readonly sender: Pick<CommandSender, 'ask'>
  readonly store: Pick<EventStore, 'commits'>
  readonly storeDeadLetter: StoreCommandDeadLetter
  readonly origin: TraceOrigin
}

/** This node's part in delivering stored commands. */
export interface InboxStats extends GroupStats {
  /** Commands that their actors have rejected since the start. */
  readonly rejected: number
  /** Of these, the ones that nobody was told of. */
  readonly unheard: number
}

export interface RunningInbox {
  /** As {@link Group.unsettled}. */
  unsettled(signal: AbortSignal): Promise<string | undefined>
  stats(): InboxStats
  /** Finishes the commands in progress, for at most `timeout` ms, and leaves the rest to other nodes. */
  stop(timeout: number): Promise<void>
}

export const emptyInboxStats: InboxStats = { ...emptyGroupStats, rejected: 0, unheard: 0 }

export function startInbox(options: InboxOptions): RunningInbox {
  const { queue, partitions, sender, store, storeDeadLetter, origin, log, ...rest } =
    options
  const counters = { rejected: 0, unheard: 0 }
  const group = new Group({
    ...rest,
    name: inboxGroup,
    source: inboxSource(queue, partitions, (message, details) =>
      log('warn', message, details),
    ),
    handle: inboxHandler({
      queue,
      sender,
      store,
      storeDeadLetter,
      origin,
      log,
      counters,
    }),
    log,
  })
  group.start()
  return {
    unsettled: signal => group.unsettled(signal),
    stats: () => ({ ...group.stats(), ...counters }),
    stop: timeout => group.stop(timeout),
  }
}

interface InboxPorts
  extends
    AnswerPorts,
    Pick<InboxOptions, 'queue' | 'storeDeadLetter' | 'origin' | 'log'> {}

/** Delivers a stored command, and removes it when its outcome is known (INBOX-1). */
function inboxHandler(ports: InboxPorts): RecordHandler<InboxCommand> {
  const { queue, sender, storeDeadLetter, origin, log } = ports
  return async ({ actor, command }, attempt) => {
    const { id: commandId, type, data, sentAfter, repeat, redrives = 0 } = command
    const { position, signal } = attempt
    const name = formatAddress(actor)
    const isFirst = repeat === undefined && redrives === 0
    const about = { actor: name, command: type, commandId, position }
    const timeout = attemptTimeoutOf(attempt.attempt)
    const delivery = {
      attempt,
      origin,
      group: inboxGroup,
      isRepeat: !isFirst,
      timeout,
      storeDeadLetter,
      log,
      about,
      rejectedText: 'A durable command was rejected by its actor',
      retryText: 'A durable command is retried',
      giveUpText: 'A durable command was given up as a dead letter',
      toUndeliverable: () => ({ ...command, actor }),
      deliver(traceparent: string | undefined) {
        const options: RedeliveryOptions = {
          ...carryOn(definedCauses(command), traceparent),
          commandId,
          timeout,
          signal,
          // INBOX-3
          redelivery: {
            sentAfter,
            inbox: { position, isFirst },
            ...(repeat === 'callers-id' && { isCallersId: true }),
          },
        }
        return sender.ask(actor, type, data, options)
      },
    }
    const result = await deliverAndAnswer(delivery, ports)
    if (result.kind === 'retry') return result
    await queue.remove([position])
    return done
  }
}
