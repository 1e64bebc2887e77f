// Due timers: an active node sends their commands to their actors.

import {
  firingGroup,
  noFiring,
  type RunningFiring,
  startDueTimers,
} from '../../delivery/commands/due-timers.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { deadLettersOf, groupBasics, type GroupParts } from './group.js'

export function dueTimersCapability(context: NodeContext, parts: GroupParts): Capability {
  const isActive = context.settings.timers === 'active'
  let firing: RunningFiring | undefined
  return {
    groups: isActive ? [firingGroup] : [],
    start() {
      if (!context.isMember || !isActive) return
      firing = startDueTimers({
        ...groupBasics(firingGroup, context, parts),
        timers: context.open.timers,
        deadLetterCommand: deadLettersOf(firingGroup, context),
      })
    },
    stop: ({ timeout }) => firing?.stop(timeout / 2),
    stats: () => ({ timers: firing?.stats() ?? noFiring }),
  }
}
