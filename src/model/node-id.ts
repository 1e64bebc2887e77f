// Node ids: the names of nodes in commits, subjects and file names.

import { CairnError } from './errors.js'
import { show } from './show.js'

const pattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

export function isNodeId(id: unknown): id is string {
  return typeof id === 'string' && pattern.test(id)
}

/** Throws `invalid-option`. */
export function checkNodeId(id: unknown): void {
  if (isNodeId(id)) return
  throw new CairnError(
    'invalid-option',
    `${show(id)} is not a node id: use 1 to 63 characters of A-Z, a-z, 0-9, "_" and "-", starting with a letter or digit.`,
    { details: { id } },
  )
}
