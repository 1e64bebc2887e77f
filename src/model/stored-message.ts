// Messages published by code outside an actor, as the queue of topics keeps them.

import type { Causes } from './commit.js'
import type { KeptHeaders } from './kept-headers.js'
import type { Position } from './version.js'

/** The part of a message that its headers hold. */
export interface StoredMessageHeader extends Causes, KeptHeaders {
  readonly id: string
  /** Version of the topic's schema. */
  readonly version: number
  /** Messages with the same key keep their order. */
  readonly key?: string
  readonly nodeId: string
  /** The publisher's clock, ms since 1970. */
  readonly at: number
  /** A position that the log had reached when it was published; absent if the publisher knew none. */
  readonly logPosition?: Position
}

export interface StoredMessage extends StoredMessageHeader {
  readonly topic: string
  readonly data: unknown
  /** The application's headers; absent if there are none. */
  readonly headers?: Readonly<Record<string, string>>
}
