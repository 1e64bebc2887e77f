// Times as tools show them.

import { CairnError } from '../../model/errors.js'

/** Milliseconds since 1970 as ISO 8601; throws `storage-failed` for what is not a time. */
export function isoTime(at: number): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime()))
    throw new CairnError('storage-failed', `${at} is not a time: the record is damaged.`)
  return date.toISOString()
}
