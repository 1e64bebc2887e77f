// The timers port: durable timers of actors, kept until they are due. Every implementation keeps
// these promises, checked by one contract suite (test/contract/timers.ts).
//
// TIMERS-1. An actor has one timer per name. A later one replaces it; generation and occurrence
//     decide which is later, not the order of the calls: setting the same or an older one is a no-op.
// TIMERS-2. A timer that is due becomes a record of the queue `due`, never before its time and
//     whichever processes run then. It is no timer any more, and the record stays until removed.
// TIMERS-3. Cancelling removes only what was set earlier. Cancelling a missing timer is a no-op.
// TIMERS-4. Timers that are due at the same time fire in the order in which they were set.
// TIMERS-5. Listing is a stream: at most one batch is in memory.
// TIMERS-6. A store whose timers can be lost without its log tells so, until it is said to have all of them again.

import { decodeTimer, encodeTimer } from '../../codec/stored-timer.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import { messageOf } from '../../model/errors.js'
import { partitionOf } from '../../model/partition.js'
import {
  checkTimerName,
  type TimerGeneration,
  isBefore,
  type Timer,
} from '../../model/timer.js'
import type { PutOptions, Queue, QueueKey } from '../queue/queue.js'

export interface ListTimersOptions {
  /** Only this actor's timers. Default: all. */
  readonly actor?: ActorAddress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Timers {
  /**
   * Sets a timer; returns `false` when the same or a later one is stored (TIMERS-1). Throws
   * `invalid-timer`, `invalid-data`, `commit-too-large`, `unauthorized`, `storage-failed`,
   * `store-unreachable`, or `outcome-unknown`, after which the call may be repeated.
   */
  set(timer: Timer, options?: PutOptions): Promise<boolean>

  /** Stores the timer again, with what is known of it by now, if this very firing is still waiting. */
  advance(timer: Timer, options?: PutOptions): Promise<void>

  /** Removes a timer of an earlier generation; returns `false` when there is none (TIMERS-3). */
  cancel(
    actor: ActorAddress,
    name: string,
    before: TimerGeneration,
    options?: PutOptions,
  ): Promise<boolean>

  get(
    actor: ActorAddress,
    name: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Timer | undefined>

  /** The waiting timers, in no particular order. */
  list(options?: ListTimersOptions): AsyncIterable<Timer>

  /** When the next waiting timer is due; `undefined` for none, and where the server keeps the time. */
  nextDueAt(): Promise<number | undefined>

  /** Where the timers are, for operators. */
  readonly place: string

  /**
   * Whether all timers that were set are stored, or due (TIMERS-6); `unknown` in a store of an older build, which does not
   * tell.
   */
  completeness(options?: {
    readonly signal?: AbortSignal
  }): Promise<'complete' | 'incomplete' | 'unknown'>

  /** All pending timers are stored again (TIMERS-6). */
  setComplete(options?: { readonly signal?: AbortSignal }): Promise<void>

  /** Timers that became due, by actor, until their firing is handled (TIMERS-2). */
  readonly due: Queue

  /**
   * Fires due timers until the signal fires. Unless the server does it by itself, timers fire only
   * while a process runs this. Throws the errors of the store.
   */
  run(clock: Clock, signal: AbortSignal): Promise<void>

  close(): Promise<void>
}

/** The key of an actor's records in `due`, and the beginning of the keys of its timers. */
export function actorKeyOf(actor: ActorAddress, partitions: number): QueueKey {
  const { type, id } = checkAddress(actor)
  return [String(partitionOf(actor, partitions)), type, id]
}

/** A timer as it is stored. Throws `invalid-timer`, `invalid-data`. */
export function timerRecord(timer: Timer, partitions: number) {
  const actorKey = actorKeyOf(timer.actor, partitions)
  return {
    key: [...actorKey, checkTimerName(timer.name)],
    actorKey,
    /** Id of the record that it becomes when it is due. */
    id: `${timer.name}/${timer.generation}/${timer.occurrence}`,
    ...encodeTimer(timer),
  }
}

type FiringOrder = Pick<Timer, 'generation' | 'occurrence'>

/** Whether setting `timer` replaces the stored one (TIMERS-1). */
export function isReplacedBy(
  known: FiringOrder | undefined,
  timer: FiringOrder,
): boolean {
  return known === undefined || isBefore(known, timer)
}

/** Whether the stored timer waits for the same firing. */
export function isSameFiring(
  known: FiringOrder | undefined,
  timer: FiringOrder,
): boolean {
  return known !== undefined && !isBefore(known, timer) && !isBefore(timer, known)
}

/** The timer stored under a key, or the reason why it is none. */
export function readTimer(
  [partition, type = '', id = '']: QueueKey,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  partitions: number,
): Timer | string {
  try {
    const actor = checkAddress({ type, id })
    if (partition !== String(partitionOf(actor, partitions)))
      return 'its key has another partition than its actor'
    return decodeTimer(actor, headers, body)
  } catch (error) {
    return messageOf(error)
  }
}
