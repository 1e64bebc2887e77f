// A mark of a reader: the position and the id of a record that it has read. Stored with the reader's position, it tells
// whether a log or queue still is the one that was read, or was restored to an earlier point and written on.

import type { Position } from './version.js'

export interface Mark {
  readonly position: Position
  /** The id of the commit or message there. */
  readonly id: string
}
