// Where a stored command or a message of plain code comes from.

import type { Clock } from '../../model/clock.js'
import type { EventStore } from '../../store/event-store/event-store.js'

export interface Origin {
  readonly nodeId: string
  readonly clock: Clock
  /** Tells a position that the log has reached. */
  readonly store: Pick<EventStore, 'namespace' | 'knownPosition'>
}
