// The inbox: delivers durable commands to their actors.

import {
  inboxGroup,
  emptyInboxStats,
  type RunningInbox,
  startInbox,
} from '../../delivery/commands/inbox.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { deadLettersOf, groupBasics, type GroupParts } from './group.js'

export function inboxCapability(context: NodeContext, parts: GroupParts): Capability {
  let inbox: RunningInbox | undefined
  return {
    groups: [inboxGroup],
    start() {
      if (!context.isMember) return
      inbox = startInbox({
        ...groupBasics(inboxGroup, context, parts),
        queue: context.open.queues.inbox,
        store: context.open.store,
        storeDeadLetter: deadLettersOf(inboxGroup, context),
      })
    },
    stop: ({ timeout }) => inbox?.stop(timeout / 2),
    unsettled: async signal => [await inbox?.unsettled(signal)],
    stats: () => ({ inbox: inbox?.stats() ?? emptyInboxStats }),
  }
}
