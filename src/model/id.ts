// Ids that nothing else has.

import { randomUUID } from 'node:crypto'

/** A new id of 36 characters (UUID version 4). */
export function newId(): string {
  return randomUUID()
}
