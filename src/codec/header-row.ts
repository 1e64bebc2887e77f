// A table of headers: one row per header, in the order in which they are written. A table writes the headers of a
// record, reads them, and tells which headers of a record it does not know.
//
// HEADER-TABLE-1. A name in a table belongs to one row. What is written is read back equal.
// HEADER-TABLE-2. Reading is strict: a value that no writer of this format writes gives a reason, except in a row that
//     only saves work (`hint`), where it counts as missing.
// HEADER-TABLE-3. The fast reading of a commit's headers (`decodeLines`) returns what `decodeWith` returns, or leaves it to
//     that: it is faster for headers that are valid and stand in the order in which they are written.

import { messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Writable } from '../model/writable.js'

/** Returns the stored value of a header; `undefined` for a missing one. */
export type HeaderReader = (name: string) => string | undefined

/** How a value is written to a header and read back. */
export interface HeaderKind<Value> {
  /** Throws for a value that must not be stored. */
  encode(value: Value): string
  /** Returns `undefined`, or throws `URIError`, for a text that is not such a value. */
  decode(text: string): Value | undefined
}

export interface HeaderRow<Header> {
  readonly name: string
  /** The field of the record that the header holds; of several, the first. Absent: it is part of no record. */
  readonly field: (keyof Header & string) | undefined
  /** A record without the header is not readable. */
  readonly isRequired: boolean
  /** The value to write; `undefined` for no header. */
  readonly encode: (from: Header) => string | undefined
  /** Adds what the value says to `to`. Returns the reason if it is not valid. `header` has the other headers. */
  readonly decode: (
    text: string,
    to: Writable<Header>,
    header: HeaderReader,
  ) => string | undefined
  /** Adds what the missing header means to `to`. Returns the reason if it must not be missing. */
  readonly decodeMissing: (
    to: Writable<Header>,
    header: HeaderReader,
  ) => string | undefined
}

export type HeaderTable<Header> = readonly HeaderRow<Header>[]

export interface OptionalRow<Value> {
  /** What a missing header is read as. Default: the field is absent. */
  readonly missing?: Value
  /** A value that is not written. */
  readonly omit?: Value
}

/** Makes the rows of one table, each for one field of `Header`. */
export function rowsOf<Header extends object>() {
  type Field = keyof Header & string
  type ValueOf<Name extends Field> = Exclude<Header[Name], undefined>
  type Presence = 'required' | 'optional' | 'hint'

  function makerOf(presence: Presence) {
    const isRequired = presence === 'required'
    return <Name extends Field>(
      name: string,
      field: Name,
      kind: HeaderKind<ValueOf<Name>>,
      { missing, omit }: OptionalRow<ValueOf<Name>> = {},
    ): HeaderRow<Header> => ({
      name,
      field,
      isRequired,
      encode(from) {
        const value = from[field] as ValueOf<Name> | undefined
        return value === undefined || value === omit ? undefined : kind.encode(value)
      },
      decode(text, to) {
        if (isRequired && text === '') return missingHeader(name)
        const value = kind.decode(text)
        if (value !== undefined) to[field] = value
        else if (presence !== 'hint') return invalidHeader(name, text)
        return undefined
      },
      decodeMissing:
        !isRequired && missing === undefined
          ? mayBeMissing
          : to => {
              if (isRequired) return missingHeader(name)
              to[field] = missing as ValueOf<Name>
              return undefined
            },
    })
  }

  return {
    /** A record without it, or with an empty one, is not readable. */
    required: makerOf('required'),
    optional: makerOf('optional'),
    /** It only saves work: a value that is not valid counts as missing. */
    hint: makerOf('hint'),
  }
}

/** Encodes the headers of a record. Throws for a value that must not be stored. */
export function encodeHeaders<Header>(
  table: HeaderTable<Header>,
  from: Header,
): [string, string][] {
  const headers: [string, string][] = []
  for (const row of table) {
    const value = row.encode(from)
    if (value !== undefined) headers.push([row.name, value])
  }
  return headers
}

/** Decodes the headers of a record, or returns the reason why they are not valid. */
export function decodeWith<Header extends object>(
  table: HeaderTable<Header>,
  header: HeaderReader,
): Header | string {
  const to = {} as Writable<Header>
  for (const row of table) {
    const text = header(row.name)
    try {
      const reason =
        text === undefined ? row.decodeMissing(to, header) : row.decode(text, to, header)
      if (reason !== undefined) return reason
    } catch (error) {
      return `its ${row.name} header is not decodable (${messageOf(error)})`
    }
  }
  return to
}

/** Rows by name, for {@link decodeLines}. */
export interface RowsByName<Header> {
  readonly table: HeaderTable<Header>
  readonly rows: ReadonlyMap<string, number>
  /** Indexes of the rows for which it means something that their header is missing. */
  readonly expected: readonly number[]
}

/** A table of up to 31 rows, prepared for {@link decodeLines}. */
export function byName<Header>(table: HeaderTable<Header>): RowsByName<Header> {
  return {
    table,
    rows: new Map(table.map(({ name }, i) => [name, i])),
    expected: [...table.keys()].filter(i => table[i]!.decodeMissing !== mayBeMissing),
  }
}

/**
 * Does the same as {@link decodeWith} in one pass over the headers: each row is not searched for. Returns `undefined` unless the
 * headers are valid and stand in the order in which they are written; then `decodeWith` tells.
 */
export function decodeLines<Header extends object>(
  { table, rows, expected }: RowsByName<Header>,
  lines: readonly string[],
  header: HeaderReader,
): Header | undefined {
  const to = {} as Writable<Header>
  let seen = 0
  let last = -1
  try {
    for (let i = 0; i < lines.length; i += 2) {
      const index = rows.get(lines[i]!)
      if (index === undefined) continue
      // Rows depend on those before them, and of a repeated header the first value counts.
      if (index <= last) return undefined
      for (const before of expected) {
        if (before >= index) break
        if ((seen & (1 << before)) !== 0) continue
        seen |= 1 << before
        if (table[before]!.decodeMissing(to, header) !== undefined) return undefined
      }
      if (table[index]!.decode(lines[i + 1]!, to, header) !== undefined) return undefined
      seen |= 1 << index
      last = index
    }
    for (const index of expected) {
      if ((seen & (1 << index)) !== 0) continue
      if (table[index]!.decodeMissing(to, header) !== undefined) return undefined
    }
    return to
  } catch {
    return undefined
  }
}

/** {@link HeaderRow.decodeMissing} of a header that may be missing, and means nothing then. */
export function mayBeMissing(): undefined {}

/** The name of the header that holds a field. */
export function nameOf<Header>(
  table: HeaderTable<Header>,
  field: keyof Header & string,
): string {
  return table.find(row => row.field === field)!.name
}

/** The value of one field of a record whose headers need not be valid; `undefined` for one that is missing or not valid. */
export function peekField<Header extends object, Name extends keyof Header & string>(
  table: HeaderTable<Header>,
  field: Name,
  header: HeaderReader,
): Header[Name] | undefined {
  const row = table.find(one => one.field === field)!
  const found = decodeWith([row], header)
  return typeof found === 'string' ? undefined : found[field]
}

export function missingHeader(name: string): string {
  return `it has no ${name} header`
}

export function invalidHeader(name: string, text: string): string {
  return `its ${name} header is ${show(text)}`
}
