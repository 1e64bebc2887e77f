// Finds the timers that the log says are pending, and that are not stored.
//
// MISSING-TIMERS-1. A timer is pending if no later commit of its actor replaces or cancels it, and none is that of its
//     command. A command that was rejected, or that stored nothing, leaves no trace: such a timer is sent once more when its
//     due time is in the past, unless that is left out (`overdueSince`). Its actor decides again.
// MISSING-TIMERS-2. A timer that is set again though it is not pending any more has no effect: its actor knows its firing
//     from its history (DUE-TIMERS-1, DUE-TIMERS-2). So other nodes may set, cancel and deliver meanwhile.
// MISSING-TIMERS-3. Memory is bounded by the number of pending timers, without their data.

import { type ActorAddress, formatAddress, parseAddress } from '../../model/address.js'
import { commitSlicesOf, type StoredCommit } from '../../model/commit.js'
import {
  firingId,
  generationOf,
  type Timer,
  type TimerGeneration,
} from '../../model/timer.js'
import type { Position } from '../../model/version.js'
import type { EventStore } from '../../store/event-store/event-store.js'
import type { Queue } from '../../store/queue/queue.js'
import { readTimer, type Timers } from '../../store/timers/timers.js'
import { causesOf } from '../commands/courier.js'

export interface MissingTimersOptions {
  readonly store: Pick<EventStore, 'readAll'>
  readonly timers: Pick<Timers, 'list'> & { readonly due: Pick<Queue, 'read'> }
  readonly partitions: number
  /** Timers that were due before this time are left out, ms since 1970. */
  readonly overdueSince: number
  /** Whether the courier has processed the commit at a position. Default: of all. */
  readonly isCarried?: (actor: ActorAddress, position: Position) => boolean
  readonly signal: AbortSignal
}

/** A timer of the log, without its data (MISSING-TIMERS-3). */
interface Pending {
  readonly position: Position
  readonly index: number
  readonly generation: TimerGeneration
  readonly occurrence: number
  readonly at: number
  readonly every: number | undefined
}

/** By actor, then by name. */
type PendingTimers = Map<string, Map<string, Pending>>

/** Reads the whole log. */
export async function* missingTimers({
  store,
  timers,
  partitions,
  overdueSince,
  isCarried = () => true,
  signal,
}: MissingTimersOptions): AsyncGenerator<Timer> {
  const pending: PendingTimers = new Map()
  for await (const record of store.readAll({ signal }))
    if (record.kind === 'commit') note(pending, record)
  const known = new Set<string>()
  for await (const { key, headers, body } of timers.due.read({ signal })) {
    const timer = readTimer(key, headers, body, partitions)
    if (typeof timer !== 'string') known.add(nameOf(timer))
  }
  // Read last: a timer that fires meanwhile is among the due ones or here, or is handled.
  for await (const timer of timers.list({ signal })) known.add(nameOf(timer))
  for (const [actorName, byName] of pending) {
    const actor = parseAddress(actorName)
    for (const [name, one] of byName) {
      const { position, generation, at, every } = one
      if (every === undefined && at < overdueSince) continue
      if (known.has(nameOf({ actor, name, generation }))) continue
      if (!isCarried(actor, position)) continue
      const timer = await readAt(store, one, signal)
      if (timer !== undefined) yield timer
    }
  }
}

/** MISSING-TIMERS-1. */
function note(pending: PendingTimers, commit: StoredCommit): void {
  const { actor, firstVersion, position, outbox = [] } = commit
  const actorName = formatAddress(actor)
  const byName = pending.get(actorName) ?? new Map<string, Pending>()
  if (byName.size > 0)
    for (const { command } of commitSlicesOf(commit))
      if (command !== undefined) fired(byName, actor, command.id)
  for (const [index, entry] of outbox.entries()) {
    if (entry.kind === 'cancel') byName.delete(entry.name)
    if (entry.kind !== 'timer') continue
    const { at, every } = entry
    const generation = generationOf(firstVersion, index)
    byName.set(entry.name, { position, index, generation, occurrence: 0, at, every })
  }
  if (byName.size === 0) pending.delete(actorName)
  else pending.set(actorName, byName)
}

function fired(
  byName: Map<string, Pending>,
  actor: ActorAddress,
  commandId: string,
): void {
  for (const [name, one] of byName) {
    const prefix = firingId(actor, one.generation, 0).slice(0, -1)
    if (!commandId.startsWith(prefix)) continue
    const occurrence = Number(commandId.slice(prefix.length)) + 1
    if (one.every === undefined) byName.delete(name)
    else if (occurrence > one.occurrence) byName.set(name, { ...one, occurrence })
  }
}

async function readAt(
  store: Pick<EventStore, 'readAll'>,
  { position, index, generation, occurrence, at, every = 0 }: Pending,
  signal: AbortSignal,
): Promise<Timer | undefined> {
  for await (const record of store.readAll({ after: position - 1, limit: 1, signal })) {
    if (record.kind !== 'commit' || record.position !== position) return undefined
    const entry = record.outbox?.[index]
    if (entry?.kind !== 'timer') return undefined
    const { kind: _, ...rest } = entry
    return {
      ...rest,
      actor: record.actor,
      generation,
      occurrence,
      at: at + occurrence * every,
      commitPosition: position,
      ...causesOf(record, index),
    }
  }
  return undefined
}

function nameOf({
  actor,
  name,
  generation,
}: Pick<Timer, 'actor' | 'name' | 'generation'>): string {
  return JSON.stringify([actor.type, actor.id, name, generation])
}
