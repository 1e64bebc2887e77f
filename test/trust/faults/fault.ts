// What a fault is, and what it may use.

import { pause } from '../../../src/model/wait.js'
import type { Random } from '../../../src/testing/random.js'
import type { Journal, Place } from '../history.js'
import type { StartedPlace } from '../places/started-place.js'
import type { Processes, Settings, TrustProcess } from '../processes.js'

export interface FaultContext {
  readonly processes: Processes
  readonly place: StartedPlace
  readonly journal: Journal
  /** Fires when the run ends early. */
  readonly signal: AbortSignal
  /** Resolves after `ms`, or as soon as the run ends. */
  hold(ms: number): Promise<void>
  /** Starts a host under a name that no process has had; its node has the id `settings.nodeId`, else that name. */
  startHost(settings?: Settings): Promise<TrustProcess>
}

/** A context; hosts are started as the processes start them, unless it is given another way. */
export function faultContext(
  parts: Pick<FaultContext, 'processes' | 'place' | 'journal' | 'signal'> &
    Partial<FaultContext>,
): FaultContext {
  const { processes, signal } = parts
  return {
    hold: ms => pause(ms, signal),
    startHost: settings =>
      processes.start('host', processes.nextName('host'), settings ?? {}),
    ...parts,
  }
}

export interface Fault {
  readonly name: string
  readonly places: readonly Place[]
  /** Whether it can be done with what runs now. Default: yes. */
  isPossible?(context: FaultContext): boolean
  /** Does it, holds it for a random time and undoes it, also when it fails. */
  inject(context: FaultContext, random: Random): Promise<void>
}

export const everywhere: readonly Place[] = ['nats', 'r3', 'lmdb']
export const onServers: readonly Place[] = ['nats', 'r3']

export interface Disturbance {
  readonly fault: string
  readonly target: string
  /** How long it is held. */
  readonly ms: number
  begin(): Promise<void> | void
  heal(): Promise<void> | void
}

/** Begins, holds and heals, and writes both ends to the history. */
export async function disturb(
  context: FaultContext,
  { fault, target, ms, begin, heal }: Disturbance,
): Promise<void> {
  const { journal } = context
  journal.write({ kind: 'fault', fault, target, phase: 'begun' })
  try {
    await begin()
    await context.hold(ms)
  } finally {
    await heal()
    journal.write({ kind: 'fault', fault, target, phase: 'healed' })
  }
}

export function namesOf(targets: readonly { readonly name: string }[]): string {
  return targets.map(({ name }) => name).join(' ')
}
