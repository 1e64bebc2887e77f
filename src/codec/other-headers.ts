// The headers of a record that are in no row of its table: they are kept when the record is stored again.

import type { HeaderTable } from './header-row.js'

type Headers = Readonly<Record<string, string>>

/** The other headers of a record, except those of the server; `undefined` for none. */
export function otherHeadersOf<Header>(
  table: HeaderTable<Header>,
  headers: Headers,
): Headers | undefined {
  let others: Record<string, string> | undefined
  for (const name in headers)
    if (!isServers(name) && !table.some(row => row.name === name))
      (others ??= {})[name] = headers[name]!
  return others
}

/**
 * Those to write: a build may know by now what another one has kept, and what is not a header line would damage the
 * record.
 * @param written the headers that the record has already
 */
export function otherHeadersToWrite(
  others: Headers,
  written: readonly (readonly [string, string])[],
): [string, string][] {
  return Object.entries(others).filter(
    ([name, value]) =>
      fieldName.test(name) &&
      fieldValue.test(value) &&
      !isServers(name) &&
      !written.some(([known]) => known === name),
  )
}

function isServers(name: string): boolean {
  return /^nats-/i.test(name)
}

const fieldName = /^[\x21-\x39\x3b-\x7e]{1,256}$/
const fieldValue = /^[\x20-\x7e]*$/
