// Firing: sends the commands of timers that are due to their actors.
//
// Every active node takes part, whatever it hosts; each due timer is one node's to fire.
// F1. A firing is carried out at least once, by an id of the timer's setting and of which firing
//     it is, and acts once: it is looked for in all that its actor has stored since the timer was set.
// F2. A firing of a timer that was replaced or cancelled does nothing, however late that is found
//     out: its actor says so (src/actor/superseded-timer.ts).
// F3. Before a firing of a timer that repeats, the next one is set: the chain does not end with
//     the node. Of those that were missed the last is fired, so that ids and moments are those of a
//     timer that missed nothing; done twice, chains meet again in the same ids.
// F4. One actor's firings are carried out in the order in which they became due; one that cannot be
//     yet is tried again, and holds up that actor's only. What waiting does not mend is given up, as
//     a dead letter (lost-commands.ts).

import { timerSuperseded } from '../../actor/superseded-timer.js'
import { formatAddress } from '../../model/address.js'
import { definedCauses } from '../../model/causes.js'
import type { Clock } from '../../model/clock.js'
import { isCairnError, messageOf } from '../../model/errors.js'
import type { CommandSender, RedeliveryOptions } from '../../model/command-sender.js'
import { firingId, lastDueAt, nextOccurrence, type Timer } from '../../model/timer.js'
import { pause } from '../../model/wait.js'
import { actorKeyOf, readTimer, type Timers } from '../../store/timers/timers.js'
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
import { queueSource } from '../group/queue-source.js'
import type { GroupSource } from '../group/source.js'

/** Name of the group of nodes that fire timers. */
export const firingGroup = 'timers'

export interface DueTimersOptions extends Omit<
  GroupOptions<unknown>,
  'name' | 'path' | 'source' | 'handle'
> {
  readonly timers: Timers
  readonly partitions: number
  readonly sender: Pick<CommandSender, 'ask'>
  readonly deadLetterCommand: DeadLetterCommand
}

/** What this node fires of the namespace's timers. */
export interface DueTimersStats extends GroupStats {
  /** Since the start: firings that their actors have refused, */
  readonly refused: number
  /** firings that came too late and were to be skipped then, */
  readonly skipped: number
  /** and firings of timers that had been replaced or cancelled. */
  readonly superseded: number
}

export interface RunningFiring {
  stats(): DueTimersStats
  /** Finishes what is being fired, for at most `timeout` ms, and leaves the rest to others. */
  stop(timeout: number): Promise<void>
}

export const noFiring: DueTimersStats = {
  ...noGroup,
  refused: 0,
  skipped: 0,
  superseded: 0,
}

/** Milliseconds for the first attempt; so much more for each further one. */
const attemptTimeout = 30_000
const attemptTimeoutMax = 600_000
/** Positions of the log that a repeating timer looks back over before that is cut short. */
const lookBackMax = 256
const troublePause = 500

/** Takes part in firing the timers of the namespace. */
export function startDueTimers(options: DueTimersOptions): RunningFiring {
  const { timers, partitions, sender, deadLetterCommand, log, clock, ...rest } = options
  const counters = { refused: 0, skipped: 0, superseded: 0 }
  const group = new Group({
    ...rest,
    clock,
    log,
    name: firingGroup,
    source: dueTimers(timers, partitions, log),
    handle: (timer: Timer, attempt) =>
      fire(timer, attempt, { timers, sender, deadLetterCommand, clock, log, counters }),
  })
  group.start()
  const stopping = new AbortController()
  const watching = watchTime(timers, clock, log, stopping.signal)
  return {
    stats: () => ({ ...group.stats(), ...counters }),
    async stop(timeout) {
      stopping.abort()
      await Promise.all([group.stop(timeout), watching])
    },
  }
}

/** Never rejects. */
async function watchTime(
  timers: Timers,
  clock: Clock,
  log: DueTimersOptions['log'],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await timers.run(clock, signal)
      return // The place does it by itself, or nobody needs it any more.
    } catch (error) {
      if (signal.aborted || isCairnError(error, 'store-closed')) return
      log('warn', 'Timers that are due could not be looked for; it tries again', {
        err: error,
      })
      await pause(troublePause, signal)
    }
  }
}

interface Parts extends Pick<
  DueTimersOptions,
  'timers' | 'sender' | 'deadLetterCommand' | 'clock' | 'log'
> {
  readonly counters: { refused: number; skipped: number; superseded: number }
}

async function fire(
  stored: Timer,
  trial: DeliveryAttempt,
  { timers, sender, deadLetterCommand, clock, log, counters }: Parts,
): Promise<HandlingResult> {
  const { attempt, position, signal } = trial
  const now = clock.now()
  const timer = lastDueAt(stored, now) // F3
  const { actor, name, generation, occurrence, at, skipAfter, commitPosition } = timer
  const commandId = firingId(actor, generation, occurrence)
  const about = {
    actor: formatAddress(actor),
    timer: name,
    command: timer.type,
    commandId,
  }
  const bounds = {
    timeout: Math.min(attemptTimeoutMax, attemptTimeout * attempt),
    signal,
  }
  const next = nextOccurrence(timer)
  const bury = async (
    reason: DeadLetterReason,
    error: unknown,
  ): Promise<HandlingResult> => {
    const { type, data } = timer
    const causes = definedCauses(timer)
    const command = { id: commandId, actor, type, data, at, nodeId: '', from: actor }
    if (next !== undefined) await timers.set(next, bounds) // F3
    const why = { error, reason, attempt: trial }
    const settled = await giveUpCommand(
      deadLetterCommand,
      { ...causes, ...command },
      why,
      details =>
        log('error', 'The command of a timer is a dead letter now', {
          ...about,
          ...details,
        }),
    )
    if (settled.kind === 'done') await timers.due.remove([position])
    return settled
  }
  if (hasCrashed(trial)) return bury('crashed', new CommandCrashed())
  try {
    if (next !== undefined) await timers.set(next, bounds) // F3
    if (skipAfter !== undefined && now - at > skipAfter) {
      counters.skipped++
      log('info', 'A timer was late, and is skipped', { ...about, late: now - at })
    } else {
      const options: RedeliveryOptions = {
        ...definedCauses(timer),
        ...bounds,
        commandId,
        commitPosition,
        firing: { name, generation },
      }
      const outcome = await sender.ask(actor, timer.type, timer.data, options)
      if (!outcome.ok && outcome.rejection.code === timerSuperseded) {
        counters.superseded++
        await timers.cancel(actor, name, generation + 1, bounds)
      } else if (!outcome.ok) {
        counters.refused++
        const { rejection } = outcome
        log('warn', 'The command of a timer was refused by its actor', {
          ...about,
          rejection,
        })
      } else if (next !== undefined && outcome.position - commitPosition > lookBackMax)
        await timers.advance({ ...next, commitPosition: outcome.position }, bounds)
    }
    await timers.due.remove([position])
    return { kind: 'done' }
  } catch (error) {
    const reason = signal.aborted ? undefined : abandonReason(error, trial)
    if (reason !== undefined) return bury(reason, error)
    if (!signal.aborted)
      log('warn', `A timer that is due has to wait: ${messageOf(error)}`, {
        ...about,
        attempt,
      })
    return { kind: 'again', error }
  }
}

/** What is due, as a group reads it. */
function dueTimers(
  { due }: Timers,
  partitions: number,
  log: DueTimersOptions['log'],
): GroupSource<Timer> {
  return queueSource({
    queue: due,
    partitions,
    keyOf: actorKeyOf,
    read({ key, headers, body }) {
      const timer = readTimer(key, headers, body, partitions)
      return typeof timer === 'string' ? timer : { actor: timer.actor, value: timer }
    },
    onForeign: about => log('error', 'What was due is no timer, and is passed by', about),
  })
}
