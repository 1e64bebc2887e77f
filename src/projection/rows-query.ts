// Pages of rows: those that a filter accepts, in the order of their keys or of one of their fields.
//
// The rows are read one after another, and at most one page of them is in memory. A cursor names the last row of a page by
// what it is ordered by, so the next page begins after it, whatever rows have come and gone meanwhile.

import { isDeepStrictEqual } from 'node:util'

import { decode, encode } from '../codec/msgpack.js'
import type { OptionNames } from '../model/check-options.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Writable } from '../model/writable.js'
import type { RowRange } from '../store/read-models/read-models.js'

/** What rows are ordered by. */
export type RowBound = string | number | bigint | boolean | Date

/** The rows that are wanted: by the values of fields, or by a function. */
export type RowFilter<Row> =
  { readonly [Field in keyof Row]?: Row[Field] } | ((row: Row, key: string) => boolean)

export interface RowsQuery<Row> {
  /** Only these rows. Default: all. */
  readonly where?: RowFilter<Row> | undefined
  /** The field that the rows are ordered by; rows with the same value by their keys. Default: the key. */
  readonly orderBy?: (keyof Row & string) | undefined
  /** The first value of the order, included. Default: the lowest. */
  readonly from?: RowBound | undefined
  /** The value of the order at which it ends, not included. Default: none. */
  readonly to?: RowBound | undefined
  /** From the highest to the lowest; `from` and `to` mean the same rows. Default false. */
  readonly descending?: boolean | undefined
  /** Rows of a page, 1 to 1,000. Default 100. */
  readonly limit?: number | undefined
  /** The `cursor` of the page before, of a query with the same order. Default: the first page. */
  readonly cursor?: string | undefined
}

export interface RowsPage<Row> {
  readonly rows: readonly { readonly key: string; readonly row: Row }[]
  /** Where the next page begins; `undefined` after the last one. */
  readonly cursor: string | undefined
}

export const rowsQueryNames: OptionNames<RowsQuery<unknown>> = {
  where: true,
  orderBy: true,
  from: true,
  to: true,
  descending: true,
  limit: true,
  cursor: true,
}

const limitDefault = 100
const limitMax = 1_000

interface Placed {
  readonly key: string
  readonly row: unknown
  /** What it is ordered by. */
  readonly value: unknown
}

type Place = Pick<Placed, 'key' | 'value'>

/** A query, checked. */
export interface PreparedQuery {
  /** The keys that the page can have, as far as that is known. */
  readonly range: RowRange
  /**
   * Reads the rows and selects a page of them.
   * @param isOrdered whether they come in the order of the range: then reading ends with the page
   */
  page(
    rows: AsyncIterable<readonly [key: string, row: unknown]>,
    isOrdered?: boolean,
  ): Promise<RowsPage<unknown>>
}

/** Throws `invalid-option`. */
export function prepareQuery(
  projection: string,
  query: RowsQuery<unknown>,
): PreparedQuery {
  const about = `list of projection ${projection}`
  const { where, from, to, limit = limitDefault, cursor } = query
  const orderBy = query.orderBy as string | undefined
  const descending = query.descending ?? false
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limitMax)
    throw invalid(
      about,
      `limit is ${show(limit)}`,
      `a whole number from 1 to ${limitMax}`,
    )
  if (orderBy !== undefined && typeof orderBy !== 'string')
    throw invalid(about, `orderBy is ${show(orderBy)}`, 'the name of a field')
  for (const [name, bound] of Object.entries({ from, to }))
    if (bound !== undefined && rankOf(bound) === otherRank)
      throw invalid(
        about,
        `${name} is ${show(bound)}`,
        'text, a number, a boolean or a date',
      )
  const accepts = filterOf(about, where)
  const after =
    cursor === undefined ? undefined : placeOf(about, cursor, { orderBy, descending })
  const sign = descending ? -1 : 1
  const compare = (one: Place, other: Place) => sign * comparePlaces(one, other)
  const isInRange = (value: unknown) =>
    (from === undefined || compareValues(value, from) >= 0) &&
    (to === undefined || compareValues(value, to) < 0)

  return {
    range: rangeOf({ from, to, after, descending, orderBy }),
    async page(rows, isOrdered = false) {
      /** Ascending by `compare`; one more than the page tells whether another page follows. */
      const found: Placed[] = []
      for await (const [key, row] of rows) {
        const value =
          orderBy === undefined
            ? key
            : (row as Readonly<Record<string, unknown>> | null)?.[orderBy]
        const placed = { key, row, value }
        if (!isInRange(value)) continue
        if (after !== undefined && compare(placed, after) <= 0) continue
        const isFull = found.length > limit
        const isBeyond = isFull && compare(placed, found.at(-1)!) > 0
        if (isBeyond && isOrdered && orderBy === undefined && isPlain(found.at(-1)!.key))
          break
        if (isBeyond || !accepts(row, key)) continue
        found.splice(positionIn(found, placed, compare), 0, placed)
        if (found.length > limit + 1) found.pop()
      }
      const page = found.slice(0, limit)
      const last = found.length > limit ? page.at(-1) : undefined
      return {
        rows: page.map(({ key, row }) => ({ key, row })),
        cursor: last && encodeCursor(last, { orderBy, descending }),
      }
    },
  }
}

/**
 * Rows are ordered by the UTF-16 units of their keys, as JavaScript compares text, and a store by their bytes. Both are the same
 * next to a key without units from U+D800 on.
 */
function isPlain(key: string): boolean {
  return !/[\ud800-\uffff]/.test(key)
}

function rangeOf({
  from,
  to,
  after,
  descending,
  orderBy,
}: {
  readonly from: RowBound | undefined
  readonly to: RowBound | undefined
  readonly after: Place | undefined
  readonly descending: boolean
  readonly orderBy: string | undefined
}): RowRange {
  if (orderBy !== undefined) return {}
  const lowest = !descending && after !== undefined ? after.key : from
  const highest = descending && after !== undefined ? after.key : to
  const range: Writable<RowRange> = {}
  if (typeof lowest === 'string' && isPlain(lowest)) range.from = lowest
  if (typeof highest === 'string' && isPlain(highest)) range.to = highest
  if (descending) range.descending = true
  return range
}

function filterOf(
  about: string,
  where: RowFilter<Record<string, unknown>> | undefined,
): (row: unknown, key: string) => boolean {
  if (where === undefined) return () => true
  if (typeof where === 'function') return where as (row: unknown, key: string) => boolean
  if (typeof where !== 'object' || where === null)
    throw invalid(about, `where is ${show(where)}`, 'an object of fields, or a function')
  // `undefined` is a value to compare, and no field that is left out: a value that is missing by mistake must not select all rows.
  const wanted = Object.entries(where)
  return (row: unknown) =>
    wanted.every(([field, value]) =>
      isDeepStrictEqual(
        (row as Readonly<Record<string, unknown>> | null)?.[field],
        value,
      ),
    )
}

/** The first index whose item comes after the one that is to be inserted. */
function positionIn(
  sorted: readonly Placed[],
  item: Placed,
  compare: (one: Place, other: Place) => number,
): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(sorted[middle]!, item) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

function comparePlaces(one: Place, other: Place): number {
  return compareValues(one.value, other.value) || compareSame(one.key, other.key)
}

const otherRank = 5

/** Values of different kinds are ordered by their kinds. */
function rankOf(value: unknown): number {
  if (value === undefined || value === null) return 0
  if (typeof value === 'boolean') return 1
  if (typeof value === 'number' || typeof value === 'bigint') return 2
  if (typeof value === 'string') return 3
  return value instanceof Date ? 4 : otherRank
}

function compareValues(one: unknown, other: unknown): number {
  const rank = rankOf(one)
  const difference = rank - rankOf(other)
  if (difference !== 0 || rank === 0 || rank === otherRank) return difference
  if (rank === 4) return compareSame((one as Date).getTime(), (other as Date).getTime())
  return compareSame(one as string, other as string)
}

/** Two values of one kind; `NaN` comes before all numbers. */
function compareSame<T extends string | number | bigint | boolean>(
  one: T,
  other: T,
): number {
  if (one < other) return -1
  if (one > other) return 1
  return Number(one === one) - Number(other === other)
}

interface Order {
  readonly orderBy: string | undefined
  readonly descending: boolean
}

function encodeCursor({ value, key }: Place, { orderBy, descending }: Order): string {
  const bytes = encode([orderBy ?? null, descending, value, key])
  return Buffer.from(bytes).toString('base64url')
}

function placeOf(about: string, cursor: string, { orderBy, descending }: Order): Place {
  const [field, isDescending, value, key] = decodeCursor(cursor)
  if (typeof key !== 'string')
    throw invalid(about, `cursor is ${show(cursor)}`, 'the cursor of a page, unchanged')
  if (field !== (orderBy ?? null) || isDescending !== descending)
    throw invalid(
      about,
      'cursor is of a query with another order',
      'the same orderBy and descending for all pages',
    )
  return { value, key }
}

/** A list of nothing for what is no cursor. */
function decodeCursor(cursor: string): readonly unknown[] {
  try {
    const decoded = decode(Buffer.from(cursor, 'base64url'))
    return Array.isArray(decoded) ? decoded : []
  } catch {
    return [] // It is no MessagePack.
  }
}

function invalid(about: string, what: string, remedy: string): CairnError {
  return new CairnError('invalid-option', `${about}: ${what}: use ${remedy}.`)
}
