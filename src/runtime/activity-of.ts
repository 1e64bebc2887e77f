// Looks at a node: what it has still to do of what is stored.

import type { NodeActivity } from './activity.js'
import type { Stage } from './capability.js'
import type { NodeContext } from './context.js'

/** Looks at a node once. */
export async function activityOf(
  { open, settings }: NodeContext,
  stages: readonly Stage[],
  signal: AbortSignal = new AbortController().signal,
): Promise<NodeActivity> {
  const capabilities = stages.flat()
  const { inbox, topic, dead } = open.queues
  const readEnds = () =>
    Promise.all(
      [open.store, topic, inbox, open.timers.due, dead].map(log =>
        log.lastPosition({ signal }),
      ),
    )
  const ends = await readEnds()
  const unsettled: string[] = []
  let nextDueAt = Infinity
  let restartWaits = 0
  for (const capability of capabilities) {
    for (const found of (await capability.unsettled?.(signal)) ?? [])
      if (found !== undefined) unsettled.push(`${settings.id}: ${found}`)
    nextDueAt = Math.min(nextDueAt, (await capability.nextDueAt?.()) ?? Infinity)
    restartWaits += capability.stats?.().actors?.restartWaits ?? 0
  }
  // What was stored meanwhile may be for a part that was looked at before.
  const after = await readEnds()
  if (unsettled.length === 0 && ends.join() !== after.join())
    unsettled.push(`${settings.id}: more was stored meanwhile`)
  return {
    unsettled,
    ends: after,
    nextDueAt: nextDueAt === Infinity ? undefined : nextDueAt,
    awaitsRestart: settings.clock.wait !== undefined && restartWaits > 0,
  }
}
