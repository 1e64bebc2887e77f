// How many hosts and clients a run has: who was ended is replaced.

import { now } from '../history.js'
import type { Settings, TrustProcess } from '../processes.js'
import type { FaultContext } from './fault.js'

export interface Crew {
  readonly hosts: readonly Settings[]
  readonly clients: readonly Settings[]
}

export function crewOf({ processes }: FaultContext): Crew {
  // Without the id of its node, which may be running by then.
  const settingsOf = (process: TrustProcess) => successor(process, { sameId: false })
  return {
    hosts: processes.list('host').map(settingsOf),
    clients: processes.list('client').map(settingsOf),
  }
}

const startTimeout = 90_000

/** Starts it again and again while another fault keeps it from starting. */
export async function startAgain(
  context: FaultContext,
  role: 'host' | 'client',
  settings: Settings,
): Promise<TrustProcess> {
  const { processes } = context
  for (const deadline = now() + startTimeout; ;) {
    try {
      if (role === 'host') return await context.startHost(settings)
      return await processes.start('client', processes.nextName('client'), settings)
    } catch (error) {
      if (now() > deadline || context.signal.aborted) throw error
      await context.hold(500)
    }
  }
}

/** The settings of a process that takes another's place: under the same id of a node, or under one of its own. */
export function successor(
  { name, settings }: TrustProcess,
  { sameId }: { readonly sameId: boolean },
): Settings {
  const { nodeId = name, ...others } = settings
  return sameId ? { ...others, nodeId } : others
}

/** Starts whom the crew lacks and stops whom it has too many; two faults at once may replace the same host. */
export async function restoreCrew(context: FaultContext, crew: Crew): Promise<void> {
  const { processes } = context
  for (const role of ['host', 'client'] as const) {
    const wanted = crew[`${role}s`]
    const there = processes.list(role)
    await Promise.all(
      wanted.slice(there.length).map(settings => startAgain(context, role, settings)),
    )
    for (const extra of there.slice(wanted.length)) await extra.stop()
  }
}
