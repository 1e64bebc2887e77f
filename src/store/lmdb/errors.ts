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

/** `damaged-file`: the file is Cairn's, and is not as it was written. */
export function damagedFile(
  path: string,
  why: string,
  details: Readonly<Record<string, unknown>> = {},
): CairnError {
  return new CairnError(
    'damaged-file',
    `${path} is damaged: ${why}. Nothing was written to it. Keep a copy of it, and restore it from a backup.`,
    { details: { path, ...details } },
  )
}

/** `damaged-file`: one entry of a table does not have the checksum that was stored with it. */
export function damagedEntry(path: string, table: string, key: Buffer): CairnError {
  return damagedFile(path, `${nameOfEntry(table, key)} does not match its checksum`, {
    table,
    key: key.toString('hex'),
  })
}

/** An entry, for people: by position where the key is one, else by the first bytes of its key. */
export function nameOfEntry(table: string, key: Buffer): string {
  if (table === 'log' && key.length === 8)
    return `record ${key.readBigUInt64BE(0)} of the log`
  const text = key
    .subarray(0, 64)
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, '·')
  return `entry "${text}" of table ${table}`
}
