// The messages of one stored record, which are delivered together.

import type { Message } from './message.js'

export interface MessageBatch {
  readonly kind: 'messages'
  /** At least one, in the order in which they were published. */
  readonly messages: readonly Message[]
  readonly source: 'log' | 'topics'
  /** How often they were sent again from their dead letters. */
  readonly redrives: number
}
