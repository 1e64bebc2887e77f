// The courier: delivers the commands in commits, and sets their timers.

import {
  type RunningCourier,
  courierGroup,
  emptyCourierStats,
  startCourier,
} from '../../delivery/commands/courier.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { deadLettersOf, groupBasics, type GroupParts } from './group.js'

export function courierCapability(context: NodeContext, parts: GroupParts): Capability {
  let courier: RunningCourier | undefined
  return {
    groups: [courierGroup],
    start() {
      if (!context.isMember) return
      courier = startCourier({
        ...groupBasics(courierGroup, context, parts),
        store: context.open.store,
        bus: context.notices,
        timers: context.open.timers,
        storeDeadLetter: deadLettersOf(courierGroup, context),
      })
    },
    stop: ({ timeout }) => courier?.stop(timeout / 2),
    unsettled: async signal => [await courier?.unsettled(signal)],
    stats: () => ({ courier: courier?.stats() ?? emptyCourierStats }),
  }
}
