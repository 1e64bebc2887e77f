// The row of the wire version, the first of every table of headers.

import { show } from '../model/show.js'
import { count } from './header-kinds.js'
import type { HeaderReader, HeaderRow } from './header-row.js'
import { wireVersionBatched, wireVersionWork } from './wire-version.js'

const name = 'Cairn-Wire'

/**
 * The row of the wire version.
 * @param versions those that this build reads
 * @param of the version to write
 */
export function wireRow<Header>(
  versions: readonly number[],
  of: (from: Header) => number,
): HeaderRow<Header> {
  const known = versions.map(String)
  return {
    name,
    field: undefined,
    isRequired: true,
    encode: from => String(of(from)),
    decode: text =>
      known.includes(text)
        ? undefined
        : `its wire version is ${show(text)}, and this build reads ${known.join(' and ')}: upgrade this node`,
    decodeMissing: () => `it has no ${name} header, so Cairn did not write it`,
  }
}

/** Whether a commit is one of several commands, of which `commands` is the header. */
export function isBatched(header: HeaderReader, commands: string): boolean {
  const wire = header(name)
  return (
    wire === String(wireVersionBatched) ||
    (wire === String(wireVersionWork) && header(commands) !== undefined)
  )
}

/** Whether a commit concerns work. */
export function isOfWork(header: HeaderReader): boolean {
  return header(name) === String(wireVersionWork)
}

/** Whether a record has a newer wire version than `version`. */
export function isNewerThan(version: number, header: HeaderReader): boolean {
  const wire = count.decode(header(name) ?? '')
  return wire !== undefined && wire > version
}
