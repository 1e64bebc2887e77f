// The minimum versions of the namespace: a node that does not meet them does not start.

import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { checkMinimum, readMinimum, versionsOfMember } from '../minimum-versions.js'
import { memberOf } from './membership.js'

/** Starts before the node writes anything, and once more after it has joined (MINIMUM-1). */
export function minimumVersionsCapability(context: NodeContext): Capability {
  const { open, isMember } = context
  return {
    async start() {
      if (!isMember) return
      const own = versionsOfMember(memberOf(context, []))
      checkMinimum(open.namespace, await readMinimum(open.documents), own)
    },
  }
}
