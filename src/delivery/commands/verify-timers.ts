// Verifying: whether the timers that wait are those that an actor's state asks for.
//
// Timers follow their commits: what the courier has not carried out yet is no fault.

import type { VerifiedState } from '../../actor/verify.js'
import { type ActorAddress, formatAddress } from '../../model/address.js'
import type { Behavior } from '../../model/behavior.js'
import { partitionOf } from '../../model/partition.js'
import type { Documents } from '../../store/documents/documents.js'
import type { Timers } from '../../store/timers/timers.js'
import { courierGroup } from './courier.js'
import { decodePartitionState } from '../group/partition-state.js'

/** A timer that is not as the state of its actor says. */
export interface TimerFault {
  readonly name: string
  /** When the state waits for it, ms since 1970. Absent: it does not. */
  readonly wanted?: number
  /** When it is due. Absent: it is not set. */
  readonly set?: number
}

export interface VerifyTimersOptions {
  readonly timers: Pick<Timers, 'list'>
  readonly documents: Pick<Documents, 'get'>
  readonly partitions: number
  readonly actor: ActorAddress
  readonly behavior: Behavior
  readonly at: VerifiedState
  /** What is due by then may be on its way. */
  readonly now: number
  readonly signal: AbortSignal
}

/** Sorted by name; none where the behavior's states tell nothing of timers. Throws what reading throws. */
export async function verifyTimers(options: VerifyTimersOptions): Promise<TimerFault[]> {
  const { timers, actor, behavior, at, now, signal } = options
  if (behavior.timers === undefined) return []
  const set = new Map<string, number>()
  for await (const timer of timers.list({ actor, signal })) set.set(timer.name, timer.at)
  const wanted = behavior.timers(at.state, [...set.keys()])
  const faults: TimerFault[] = []
  for (const name of new Set([...set.keys(), ...wanted.keys()])) {
    const [isDue, isWanted] = [set.get(name), wanted.get(name)]
    if (isDue === isWanted || (isWanted !== undefined && isWanted <= now)) continue
    faults.push({
      name,
      ...(isWanted !== undefined && { wanted: isWanted }),
      ...(isDue !== undefined && { set: isDue }),
    })
  }
  if (faults.length === 0 || !(await isCarried(options))) return []
  return faults.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether the courier is through with all that the actor has said. */
async function isCarried({
  documents,
  partitions,
  actor,
  at,
}: VerifyTimersOptions): Promise<boolean> {
  const key = [courierGroup, String(partitionOf(actor, partitions))]
  const found = await documents.get(key)
  if (found === undefined) return false
  const { floor, failing } = decodePartitionState(found.value, key.join('.'))
  const name = formatAddress(actor)
  return floor >= at.commitPosition && !failing.some(one => one.key === name)
}
