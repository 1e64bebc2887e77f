// Due timers: an active node sends their commands to their actors.

import {
  dueTimersGroup,
  emptyDueTimersStats,
  type RunningDueTimers,
  startDueTimers,
} from '../../delivery/commands/due-timers.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { deadLettersOf, groupBasics, type GroupParts } from './group.js'

export function dueTimersCapability(context: NodeContext, parts: GroupParts): Capability {
  const isActive = context.settings.timers === 'active'
  let firing: RunningDueTimers | undefined
  return {
    groups: isActive ? [dueTimersGroup] : [],
    start() {
      if (!context.isMember || !isActive) return
      firing = startDueTimers({
        ...groupBasics(dueTimersGroup, context, parts),
        timers: context.open.timers,
        dueClock: context.settings.clock,
        store: context.open.store,
        storeDeadLetter: deadLettersOf(dueTimersGroup, context),
      })
    },
    stop: ({ timeout }) => firing?.stop(timeout / 2),
    unsettled: async signal => [await firing?.unsettled(signal)],
    nextDueAt: async () =>
      firing === undefined
        ? Infinity
        : ((await context.open.timers.nextDueAt()) ?? Infinity),
    stats: () => ({ timers: firing?.stats() ?? emptyDueTimersStats }),
  }
}
