// Text ⇄ header values. NATS headers are lines, so a value that contains a line end, a leading or trailing space,
// or a non-ASCII character is percent-encoded.

import { isCount, type Position } from '../model/version.js'

const plain = /^[\x21-\x24\x26-\x7e]*$/
const plainItem = /^[\x21-\x24\x26-\x29\x2b\x2d-\x7e]*$/

/** Encodes `text` as a header value. The inverse is {@link decodeHeader}. */
export function encodeHeader(text: string): string {
  return plain.test(text) ? text : encodeURIComponent(text)
}

/** Decodes a header value. Throws `URIError` for a value that {@link encodeHeader} cannot have written. */
export function decodeHeader(value: string): string {
  return value.includes('%') ? decodeURIComponent(value) : value
}

/** Encodes a list as one value with run lengths: `['a', 'a', 'b']` → `a*2,b`. */
export function encodeList(items: readonly string[]): string {
  const runs: string[] = []
  for (let i = 0; i < items.length;) {
    const item = items[i]!
    let end = i + 1
    while (end < items.length && items[end] === item) end++
    const text = plainItem.test(item)
      ? item
      : encodeURIComponent(item).replaceAll('*', '%2A')
    runs.push(end - i === 1 ? text : `${text}*${end - i}`)
    i = end
  }
  return runs.join(',')
}

/** The inverse of {@link encodeList}. Returns `undefined` unless the value is a list of `count` items. */
export function decodeList(value: string, count: number): string[] | undefined {
  // Most lists have one item: the only event of a commit.
  if (count === 1 && !value.includes(',') && !value.includes('*'))
    return [decodeHeader(value)]
  const items: string[] = []
  for (const run of value.split(',')) {
    const star = run.indexOf('*')
    const times = star < 0 ? 1 : Number(run.slice(star + 1))
    if (!Number.isSafeInteger(times) || times < 1 || items.length + times > count)
      return undefined
    const item = decodeHeader(star < 0 ? run : run.slice(0, star))
    for (let i = 0; i < times; i++) items.push(item)
  }
  return items.length === count ? items : undefined
}

/** The decoded value of a header; `undefined` for one that is missing or not decodable. */
export function tryDecodeHeader(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeHeader(value)
  } catch {
    return undefined
  }
}

/** An optional position in a header, 0 where it is missing; `undefined` for a value that is not one. */
export function decodePosition(value: string | undefined): Position | undefined {
  const position = Number(value ?? 0)
  return isCount(position) ? position : undefined
}
