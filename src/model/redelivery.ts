// What the sender of a command knows about earlier deliveries of it. One object, carried whole from the sender to the
// actor, through routers and over the network.

import type { TimerFiring } from './timer.js'
import { isCount, type Position } from './version.js'

/**
 * A command that may have been delivered before: from the inbox, an outbox, a timer, a child, or by a reactor. The actor looks
 * for its id in its own commits. Positions decide which of them, and no clock.
 */
export interface Redelivery {
  /**
   * A position that the log had reached when the command was sent for the first time: every later commit is searched.
   * 0 searches the whole history.
   */
  readonly sentAfter: Position
  /** The id was chosen by a caller, who may have used it before: the actor type's `commandWindow` is searched, too. */
  readonly isCallersId?: boolean
  /**
   * Its position in the inbox, and whether the inbox has it for the first time. The commands of one actor are delivered
   * in order, so an actor whose last one had an earlier position has not handled a first one, and nothing is searched.
   */
  readonly inbox?: { readonly position: Position; readonly isFirst: boolean }
  /** It comes from a child of the actor, or is the end of its work. */
  readonly isChild?: boolean
  /** The timer that sends it. It is rejected if the timer was replaced or cancelled after `sentAfter`. */
  readonly firing?: TimerFiring
}

/** Whether a value from outside is one: a wrong one could hide an earlier delivery. */
export function isRedelivery(value: unknown): value is Redelivery {
  if (typeof value !== 'object' || value === null) return false
  const { sentAfter, isCallersId, inbox, isChild, firing }: Partial<Redelivery> = value
  return (
    isCount(sentAfter) &&
    (isCallersId === undefined || typeof isCallersId === 'boolean') &&
    (isChild === undefined || typeof isChild === 'boolean') &&
    (inbox === undefined ||
      (isCount(inbox?.position) && typeof inbox.isFirst === 'boolean')) &&
    (firing === undefined ||
      (typeof firing?.name === 'string' && isCount(firing.generation)))
  )
}
