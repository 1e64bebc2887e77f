// Verifies that the pending timers of an actor are those that its state asks for.
//
// The courier sets timers after their commits: a commit that it has not processed yet is no fault.

import type { VerifiedState } from '../../actor/verify.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { Behavior } from '../../model/behavior.js'
import { defined } from '../../model/defined.js'
import { partitionOf } from '../../model/partition.js'
import type { Documents } from '../../store/documents/documents.js'
import type { Timers } from '../../store/timers/timers.js'
import { courierGroup } from './courier.js'
import { decodePartitionState } from '../group/partition-state.js'

/** A timer that differs from the state of its actor. */
export interface TimerFault {
  readonly name: string
  /** When the state expects it, ms since 1970. Absent: the state expects no such timer. */
  readonly wanted?: number
  /** When it is due, ms since 1970. Absent: it is not set. */
  readonly set?: number
}

export interface VerifyTimersOptions {
  readonly timers: Pick<Timers, 'list'>
  readonly documents: Pick<Documents, 'get'>
  readonly partitions: number
  readonly actor: ActorAddress
  readonly behavior: Behavior
  readonly at: VerifiedState
  /** A timer that is due by then may be in delivery. */
  readonly now: number
  readonly signal: AbortSignal
}

/** Faults by name; none when the behavior does not derive timers from states. Rejects as reads do. */
export async function verifyTimers(options: VerifyTimersOptions): Promise<TimerFault[]> {
  const { timers, actor, behavior, at, now, signal } = options
  if (behavior.timers === undefined) return []
  const set = new Map<string, number>()
  for await (const timer of timers.list({ actor, signal })) set.set(timer.name, timer.at)
  const wanted = behavior.timers(at.state, [...set.keys()])
  const faults: TimerFault[] = []
  for (const name of new Set([...set.keys(), ...wanted.keys()])) {
    const [setAt, wantedAt] = [set.get(name), wanted.get(name)]
    if (setAt === wantedAt || (wantedAt !== undefined && wantedAt <= now)) continue
    faults.push({ name, ...defined({ wanted: wantedAt, set: setAt }) })
  }
  if (faults.length === 0 || !(await hasCourierFinished(options))) return []
  return faults.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether the courier has processed every commit of the actor. */
async function hasCourierFinished({
  documents,
  partitions,
  actor,
  at,
}: VerifyTimersOptions): Promise<boolean> {
  const key = [courierGroup, String(partitionOf(actor, partitions))]
  const found = await documents.get(key)
  if (found === undefined) return false
  const { floor, deferred } = decodePartitionState(found.value, key.join('.'))
  const name = formatAddress(actor)
  return floor >= at.commitPosition && !deferred.some(one => one.key === name)
}
