// The courier: carries out the commands that commits say, and sets their timers.
//
// Every node takes part, whatever it hosts; each commit is one node's to carry out.
// C1. A command is carried out at least once, by an id derived from its commit, and acts once: it
//     is looked for in all that its actor has stored since that commit, however long ago that is.
// C2. What one actor says is carried out in the order in which it said it.
// C3. A commit whose command cannot be carried out yet is tried again; until then what its actor
//     said later waits, and nothing else does.
// C4. A timer is set, or cancelled, as the setting of its commit: doing so twice, or after a newer
//     one, changes nothing (timers T1, T3). Of what one commit says of a name the last counts.

import { isForCourier } from '../codec/said.js'
import { formatAddress } from '../model/address.js'
import { correlationOf, soundTrace } from '../model/causes.js'
import type { StoredCommit } from '../model/commit.js'
import { messageOf } from '../model/errors.js'
import { type Said, saidId } from '../model/said.js'
import type { CommandSender, SendOptions } from '../model/sender.js'
import { generationOf } from '../model/timer.js'
import type { Timers } from '../timers/timers.js'
import { Group, type GroupOptions, type GroupStats } from './group.js'
import type { Attempt, Settled } from './lane.js'
import { logSource, type LogSourceOptions } from './log-source.js'
import { heldBack, type Unreadable } from './source.js'

/** Name of the group of nodes that carry out what commits say. */
export const courierGroup = 'courier'

export interface CourierOptions
  extends
    Omit<GroupOptions<unknown>, 'name' | 'path' | 'source' | 'handle'>,
    Pick<LogSourceOptions<StoredCommit>, 'store' | 'bus' | 'partitions'> {
  readonly sender: Pick<CommandSender, 'ask'>
  readonly timers: Pick<Timers, 'set' | 'cancel'>
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

export const noCourier: CourierStats = {
  lanes: 0,
  open: 0,
  failing: 0,
  handled: 0,
  failures: 0,
  refused: 0,
}

/** Milliseconds for one attempt to carry a command out. */
const attemptTimeout = 30_000

export function startCourier(options: CourierOptions): Courier {
  const { store, bus, partitions, sender, timers, ...rest } = options
  const counters = { refused: 0 }
  const group = new Group<StoredCommit | Unreadable>({
    ...rest,
    name: courierGroup,
    source: logSource({
      store,
      bus,
      partitions,
      wants: header => isForCourier(header.says),
      pick: commit =>
        commit.says?.some(({ kind }) => kind !== 'message') ? commit : undefined,
      log: rest.log,
    }),
    handle: async (commit, attempt) =>
      commit.kind === 'unreadable'
        ? heldBack(commit)
        : carryOut(commit, attempt, { sender, timers }, rest.log, counters),
  })
  group.start()
  return {
    stats: () => ({ ...group.stats(), refused: counters.refused }),
    stop: timeout => group.stop(timeout),
  }
}

/** C2. A commit that fails half way is begun again: what is done already acts once (C1). */
async function carryOut(
  commit: StoredCommit,
  { attempt, position, signal }: Attempt,
  { sender, timers }: Pick<CourierOptions, 'sender' | 'timers'>,
  log: CourierOptions['log'],
  counters: { refused: number },
): Promise<Settled> {
  const { actor, firstVersion, correlationId, command, id } = commit
  for (const [i, said] of commit.says!.entries()) {
    if (said.kind === 'message') continue
    const commandId = saidId(actor, firstVersion, i)
    const causes = {
      correlationId: correlationOf(correlationId, command?.id, id),
      causationId: commandId,
      ...soundTrace(commit),
    }
    const bounds = { timeout: attemptTimeout, signal }
    if (said.kind !== 'command') {
      const generation = generationOf(firstVersion, i)
      const { name } = said
      try {
        if (isSaidAgain(commit.says!, i)) continue // C4
        if (said.kind === 'cancel') await timers.cancel(actor, name, generation, bounds)
        else {
          const { kind: _, ...rest } = said
          const setting = { actor, generation, occurrence: 0, saidAt: position }
          await timers.set({ ...rest, ...setting, ...causes }, bounds)
        }
        continue
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
    const options: SendOptions = { commandId, ...causes, ...bounds, saidAt: position }
    const about = {
      from: formatAddress(actor),
      actor: formatAddress(said.actor),
      command: said.type,
      commandId,
    }
    try {
      const outcome = await sender.ask(said.actor, said.type, said.data, options)
      if (outcome.ok) continue
      counters.refused++
      const { rejection } = outcome
      log('warn', 'A command that a commit says was refused', { ...about, rejection })
    } catch (error) {
      if (!signal.aborted)
        log('warn', `A command that a commit says has to wait: ${messageOf(error)}`, {
          ...about,
          attempt,
        })
      return { kind: 'again', error }
    }
  }
  return { kind: 'done' }
}

/** Whether the same commit says something of the same timer behind it. */
function isSaidAgain(says: readonly Said[], index: number): boolean {
  const nameOf = (said: Said) =>
    said.kind === 'timer' || said.kind === 'cancel' ? said.name : undefined
  const name = nameOf(says[index]!)
  return says.slice(index + 1).some(said => nameOf(said) === name)
}
