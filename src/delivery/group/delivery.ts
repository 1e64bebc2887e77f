// What a reactor's groups hand to it: the messages of one record.

import type { Message } from '../messages/message.js'

export interface Delivery {
  readonly kind: 'delivery'
  /** In the order in which they were published; at least one. */
  readonly messages: readonly Message[]
  readonly source: 'log' | 'topics'
  /** How often they have been sent again after they were given up. */
  readonly redrives: number
}
