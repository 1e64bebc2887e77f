// Due timers: delivers their commands to their actors.
//
// Every active node takes part, whatever it hosts; each due timer is processed by one node.
// DUE-TIMERS-1. The command of a timer is delivered at least once, under an id derived from the timer's generation and
//     occurrence, and takes effect once: its actor looks for the id in all that it has stored since the timer was set.
// DUE-TIMERS-2. The command of a timer that was replaced or cancelled has no effect, however late that is found out: the
//     actor decides it (FIRING-1).
// DUE-TIMERS-3. The next occurrence of a repeating timer is stored before the current one is delivered, so a crash does
//     not stop the repetition. Of missed occurrences only the last is delivered; it keeps its regular number and due
//     time. If two nodes do this for one timer, they produce the same ids, so each takes effect once.
// DUE-TIMERS-4. The timers of one actor are delivered in the order in which they became due. One that cannot be delivered
//     yet is retried, and delays only that actor's. A timer whose failure is permanent becomes a dead letter
//     (COMMAND-DELIVERY-1).

import { timerSuperseded } from '../../actor/superseded-timer.js'
import { formatAddress } from '../../model/address.js'
import { answersOf } from '../../model/answers.js'
import { definedCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import { isCairnError } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import { firingId, lastDueAt, nextOccurrence, type Timer } from '../../model/timer.js'
import { carryOn, type TraceOrigin } from '../../model/trace.js'
import { pause } from '../../model/wait.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import { actorKeyOf, readTimer, type Timers } from '../../store/timers/timers.js'
import {
  emptyGroupStats,
  Group,
  type GroupOptions,
  type GroupStats,
} from '../group/group.js'
import type { DeliveryAttempt, HandlingResult } from '../group/handling.js'
import { queueSource } from '../source/queue-source.js'
import type { RecordSource } from '../source/record-source.js'
import { attemptTimeoutOf } from './attempt-timeout.js'
import type { StoreCommandDeadLetter } from './command-dead-letters.js'
import { type AnswerPorts, deliverAndAnswer, type RejectionCounters } from './answer.js'

/** The name of the consumer group that delivers due timers. */
export const dueTimersGroup = 'timers'

export interface DueTimersOptions extends Omit<
  GroupOptions<unknown>,
  'name' | 'path' | 'source' | 'handle'
> {
  readonly timers: Timers
  /** The clock that timers become due by. */
  readonly dueClock: Clock
  readonly partitions: number
  readonly sender: Pick<CommandSender, 'ask'>
  readonly store: Pick<EventStore, 'commits'>
  readonly storeDeadLetter: StoreCommandDeadLetter
  readonly origin: TraceOrigin
}

/** This node's part in delivering due timers. The counts are since the start. */
export interface DueTimersStats extends GroupStats {
  /** Commands of timers that their actors have rejected. */
  readonly rejected: number
  /** Of these, the ones that no other command of the actor was told of. */
  readonly unheard: number
  /** Timers that were later than their `skipAfter`. */
  readonly skipped: number
  /** Due timers that had been replaced or cancelled. */
  readonly superseded: number
}

export interface RunningDueTimers {
  /** As {@link Group.unsettled}, and the timers that are due and not fired. */
  unsettled(signal: AbortSignal): Promise<string | undefined>
  stats(): DueTimersStats
  /** Finishes the timers in progress, for at most `timeout` ms, and leaves the rest to other nodes. */
  stop(timeout: number): Promise<void>
}

export const emptyDueTimersStats: DueTimersStats = {
  ...emptyGroupStats,
  rejected: 0,
  unheard: 0,
  skipped: 0,
  superseded: 0,
}

/**
 * Positions of the log that the actor may have to search for the command of a repeating timer. Beyond this
 * the timer's commit position is advanced.
 */
const searchMax = 256
const retryDelay = 500

export function startDueTimers(options: DueTimersOptions): RunningDueTimers {
  const {
    timers,
    dueClock,
    partitions,
    sender,
    store,
    storeDeadLetter,
    origin,
    log,
    clock,
    ...rest
  } = options
  const counters = { rejected: 0, unheard: 0, skipped: 0, superseded: 0 }
  const ports = { timers, sender, store, storeDeadLetter, origin, clock, log, counters }
  const group = new Group({
    ...rest,
    clock,
    log,
    name: dueTimersGroup,
    source: dueTimersSource(timers, partitions, log),
    handle: (timer: Timer, attempt) => deliverTimer(timer, attempt, ports),
  })
  group.start()
  const stopping = new AbortController()
  const running = runTimers(timers, dueClock, log, stopping.signal)
  return {
    async unsettled(signal) {
      const next = await timers.nextDueAt()
      if (next !== undefined && next <= dueClock.now()) return 'a timer is due'
      return group.unsettled(signal)
    },
    stats: () => ({ ...group.stats(), ...counters }),
    async stop(timeout) {
      stopping.abort()
      await Promise.all([group.stop(timeout), running])
    },
  }
}

/** Moves each timer to the due queue when its time comes, on backends that do not do this themselves. Never rejects. */
async function runTimers(
  timers: Timers,
  clock: Clock,
  log: WriteLog,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await timers.run(clock, signal)
      return
    } catch (error) {
      if (signal.aborted || isCairnError(error, 'store-closed')) return
      log('warn', 'Due timers could not be read; the read is retried', { err: error })
      await pause(retryDelay, signal)
    }
  }
}

interface DueTimersPorts
  extends
    AnswerPorts,
    Pick<DueTimersOptions, 'timers' | 'storeDeadLetter' | 'origin' | 'clock' | 'log'> {
  readonly counters: RejectionCounters & { skipped: number; superseded: number }
}

function deliverTimer(
  stored: Timer,
  attempt: DeliveryAttempt,
  ports: DueTimersPorts,
): Promise<HandlingResult> {
  const { timers, sender, storeDeadLetter, origin, clock, log, counters } = ports
  const { position, signal } = attempt
  const now = clock.now()
  const timer = lastDueAt(stored, now) // DUE-TIMERS-3
  const { actor, name, generation, occurrence, at, skipAfter, commitPosition } = timer
  const commandId = firingId(actor, generation, occurrence)
  const about = {
    actor: formatAddress(actor),
    timer: name,
    command: timer.type,
    commandId,
  }
  const bounds = { timeout: attemptTimeoutOf(attempt.attempt), signal }
  const next = nextOccurrence(timer)
  const setNext = async () => {
    if (next !== undefined) await timers.set(next, bounds) // DUE-TIMERS-3
  }
  const remove = () => timers.due.remove([position])
  const delivery = {
    attempt,
    origin,
    group: dueTimersGroup,
    timer: name,
    timeout: bounds.timeout,
    storeDeadLetter,
    log,
    about,
    rejectedText: 'The command of a timer was rejected by its actor',
    retryText: 'A due timer is retried',
    giveUpText: 'The command of a timer was given up as a dead letter',
    toUndeliverable() {
      const { type, data } = timer
      const causes = definedCauses(timer)
      const from = { at, sentAfter: commitPosition, nodeId: '', from: actor }
      const sent = { id: commandId, actor, type, data, ...from }
      return { ...causes, ...sent, ...answersOf(timer) }
    },
    beforeGiveUp: setNext,
    afterGiveUp: remove,
    afterAnswer: remove,
    async deliver(traceparent: string | undefined) {
      await setNext()
      if (skipAfter !== undefined && now - at > skipAfter) {
        counters.skipped++
        log('info', 'A timer was late and is skipped', { ...about, late: now - at })
        return undefined
      }
      const options: RedeliveryOptions = {
        ...carryOn(definedCauses(timer), traceparent),
        ...bounds,
        commandId,
        redelivery: { sentAfter: commitPosition, firing: { name, generation } },
      }
      const outcome = await sender.ask(actor, timer.type, timer.data, options)
      if (!outcome.ok && outcome.rejection.code === timerSuperseded) {
        counters.superseded++
        await timers.cancel(actor, name, generation + 1, bounds)
        return undefined
      }
      const isFar = outcome.ok && outcome.position - commitPosition > searchMax
      if (next !== undefined && isFar)
        await timers.advance({ ...next, commitPosition: outcome.position }, bounds)
      return outcome
    },
  }
  return deliverAndAnswer(delivery, ports)
}

function dueTimersSource(
  { due }: Timers,
  partitions: number,
  log: WriteLog,
): RecordSource<Timer> {
  return queueSource({
    queue: due,
    partitions,
    keyOf: actorKeyOf,
    decode({ key, headers, body }) {
      const timer = readTimer(key, headers, body, partitions)
      if (typeof timer === 'string') return timer
      // It waits since it is due.
      return { actor: timer.actor, value: timer, at: timer.at }
    },
    onInvalid: about => log('error', 'A due record is not a timer and is skipped', about),
  })
}
