// The errors of an embedded file that several parts of this folder throw.

import { basename } from 'node:path'

import { CairnError, messageOf } from '../../model/errors.js'

/** `foreign-directory`: the file, or its directory, does not belong to Cairn. */
export function foreignFile(path: string, why: string): CairnError {
  return new CairnError(
    'foreign-directory',
    `${path} is not a Cairn log, and nothing was written to it: ${why}. ` +
      `Name another directory, or move ${basename(path)} out of the way.`,
    { details: { path } },
  )
}

/** `storage-failed`: LMDB could not commit a transaction, and nothing of it is stored. */
export function writeFailed(path: string, cause: unknown): CairnError {
  return new CairnError(
    'storage-failed',
    `${path} could not be written: ${messageOf(cause)}. Nothing was stored. ` +
      'Check the free space on its disk and the health of the disk.',
    { cause, details: { path } },
  )
}
