// The timers port: what actors have asked to be reminded of, durable, until it is due. Every
// implementation keeps these promises, proved by one contract suite (test/contract/timers.ts).
//
// T1. One timer a name and actor. What is set later replaces it, and "later" is told by the
//     generation and the firing, not by who comes last: setting again, or an older one, changes nothing.
// T2. A timer that is due becomes a record of `due`, at the earliest at its moment, whichever
//     processes live then, and waits there until it is removed. It is no timer any more then.
// T3. Cancelling takes only what was set earlier. What is not there is nobody's error.
// T4. What is due at the same moment becomes due in the order in which it was set.
// T5. Listing is a stream: no more than a batch is in memory.

import { decodeTimer, encodeTimer } from '../../codec/stored-timer.js'
import { type ActorAddress, checkAddress } from '../../model/address.js'
import type { Clock } from '../../model/clock.js'
import { messageOf } from '../../model/errors.js'
import { partitionOf } from '../../model/partition.js'
import { checkTimerName, type TimerGeneration, type Timer } from '../../model/timer.js'
import type { PutOptions, Queue, QueueKey } from '../queue/queue.js'

export interface ListTimersOptions {
  /** Only this actor's. Default: all. */
  readonly actor?: ActorAddress
  readonly signal?: AbortSignal
}

export interface Timers {
  /**
   * Sets a timer; `false` when the same one, or a later one, is there (T1). Throws
   * `invalid-timer`, `invalid-data`, `commit-too-large`, `unauthorized`, `storage-failed`,
   * `store-unreachable`, or `outcome-unknown`: it may be repeated then.
   */
  set(timer: Timer, options?: PutOptions): Promise<boolean>

  /** Writes down that a timer was not replaced before a later position, if it still waits just so. */
  advance(timer: Timer, options?: PutOptions): Promise<void>

  /** Removes a timer of a generation before this one; `false` when there is none (T3). */
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

  /** What waits, in no order that means anything. */
  list(options?: ListTimersOptions): AsyncIterable<Timer>

  /** Timers that were due, by actor, until their firing is carried out (T2). */
  readonly due: Queue

  /**
   * Takes part in watching the time, until the signal fires: without anybody who does, nothing
   * becomes due, but where the server does it by itself. Throws what the place does.
   */
  run(clock: Clock, signal: AbortSignal): Promise<void>

  close(): Promise<void>
}

/** The names of an actor's place: of its timers, with theirs behind it, and of its due ones. */
export function keyOfTimer(actor: ActorAddress, partitions: number): QueueKey {
  const { type, id } = checkAddress(actor)
  return [String(partitionOf(actor, partitions)), type, id]
}

/** A timer as it is stored. Throws `invalid-timer`, `invalid-data`. */
export function timerRecord(timer: Timer, partitions: number) {
  const place = keyOfTimer(timer.actor, partitions)
  return {
    key: [...place, checkTimerName(timer.name)],
    place,
    /** Of the record that it becomes when it is due. */
    id: `${timer.name}/${timer.generation}/${timer.occurrence}`,
    ...encodeTimer(timer),
  }
}

/** The timer that is stored at a place, or why it is none. */
export function readTimer(
  [lane, type = '', id = '']: QueueKey,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  partitions: number,
): Timer | string {
  try {
    const actor = checkAddress({ type, id })
    if (lane !== String(partitionOf(actor, partitions))) return 'its place is no actor’s'
    return decodeTimer(actor, headers, body)
  } catch (error) {
    return messageOf(error)
  }
}
