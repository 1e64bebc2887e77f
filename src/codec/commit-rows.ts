// The rows of a commit's headers that hold more than one field, or depend on the other headers.

import { type CommitHeader, commitEventsMax } from '../model/commit.js'
import { isCount, type Version } from '../model/version.js'
import {
  type HeaderReader,
  type HeaderRow,
  invalidHeader,
  mayBeMissing,
  missingHeader,
} from './header-row.js'
import { decodeList, encodeList } from './headers.js'
import { isBatched, isOfWork, wireRow } from './wire-row.js'
import { wireVersion, wireVersionBatched, wireVersionWork } from './wire-version.js'

type CommitRow = HeaderRow<CommitHeader>

/** The header that only a commit of several commands has. */
export const commandsHeader = 'Cairn-Commands'

/** The wire version. The latest one also says that a commit concerns work. */
export function commitWireRow(): CommitRow {
  const versions = [wireVersion, wireVersionBatched, wireVersionWork]
  const row = wireRow<CommitHeader>(versions, ({ commandIds, hasWork }) => {
    if (hasWork === true) return wireVersionWork
    return commandIds === undefined ? wireVersion : wireVersionBatched
  })
  return {
    ...row,
    decode(text, to, header) {
      const problem = row.decode(text, to, header)
      if (problem === undefined && isOfWork(header)) to.hasWork = true
      return problem
    },
  }
}

export function encodeVersions(first: Version, last: Version): string {
  return `${first}-${last}`
}

export function decodeVersions(
  value: string,
): { readonly first: Version; readonly last: Version } | undefined {
  const dash = value.indexOf('-')
  const first = digitsIn(value, 0, dash)
  const last = digitsIn(value, dash + 1, value.length)
  const fits = isCount(first) && isCount(last) && first >= 1 && last >= first
  return fits && last - first < commitEventsMax ? { first, last } : undefined
}

/** The digits from `start` to `end` as a number; NaN if there is anything else, or nothing. */
function digitsIn(text: string, start: number, end: number): number {
  let number = end > start ? 0 : NaN
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 48
    number = digit >= 0 && digit <= 9 ? number * 10 + digit : NaN
  }
  return number
}

/** The first and last version of the events. */
export function versionsRow(name: string): CommitRow {
  return {
    name,
    field: 'firstVersion',
    isRequired: true,
    encode: ({ firstVersion, lastVersion }) => encodeVersions(firstVersion, lastVersion),
    decode(value, to) {
      const versions = decodeVersions(value)
      if (versions === undefined) return invalidHeader(name, value)
      to.firstVersion = versions.first
      to.lastVersion = versions.last
      return undefined
    },
    decodeMissing: () => missingHeader(name),
  }
}

export interface PerEventOptions {
  /** Default: required. */
  readonly isRequired?: boolean
  /** Whether an event may have an empty text. Default: it may. */
  readonly mayBeEmpty?: boolean
}

/** One text per event. It follows the row of the versions, which tell how many there are. */
export function perEventRow(
  name: string,
  field: 'eventTypes' | 'commandIds' | 'correlationIds',
  what: string,
  { isRequired = true, mayBeEmpty = true }: PerEventOptions = {},
): CommitRow {
  const reason = `its ${name} header does not list one ${what} per version`
  return {
    name,
    field,
    isRequired,
    encode(from) {
      const list = from[field]
      return list === undefined ? undefined : encodeList(list)
    },
    decode(value, to) {
      const list = decodeList(value, to.lastVersion - to.firstVersion + 1)
      if (list === undefined || !(mayBeEmpty || list.every(isFilled))) return reason
      to[field] = list
      return undefined
    },
    decodeMissing: isRequired ? () => reason : mayBeMissing,
  }
}

function isFilled(value: string): boolean {
  return value !== ''
}

/** The row, in commits of several commands only. */
export function inBatches(row: CommitRow): CommitRow {
  return onlyIf(row, header => isBatched(header, commandsHeader), false)
}

/** The row, except in commits of several commands. */
export function outsideBatches(row: CommitRow): CommitRow {
  return onlyIf(row, header => !isBatched(header, commandsHeader), row.isRequired)
}

function onlyIf(
  { name, field, encode, decode, decodeMissing }: CommitRow,
  applies: (header: HeaderReader) => boolean,
  isRequired: boolean,
): CommitRow {
  return {
    name,
    field,
    isRequired,
    encode,
    decode: (value, to, header) =>
      applies(header) ? decode(value, to, header) : undefined,
    decodeMissing:
      decodeMissing === mayBeMissing
        ? mayBeMissing
        : (to, header) => (applies(header) ? decodeMissing(to, header) : undefined),
  }
}
