// Text ⇄ header values. NATS headers are lines, so a value that contains a line end, a leading or trailing space,
// or a non-ASCII character is percent-encoded.

const plain = /^[\x21-\x24\x26-\x7e]*$/
const plainItem = /^[\x21-\x24\x26-\x29\x2b\x2d-\x7e]*$/

/** Encodes `text` as a header value. The inverse is {@link decodeHeader}. */
export function encodeHeader(text: string): string {
  return plain.test(text) ? text : encodeURIComponent(text)
}

/** The same; `undefined` for a value that is not well-formed text. */
export function tryEncodeHeader(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  if (plain.test(value)) return value
  return value.isWellFormed() ? encodeURIComponent(value) : undefined
}

/** Decodes a header value. Throws `URIError` for a value that {@link encodeHeader} cannot have written. */
export function decodeHeader(value: string): string {
  return value.includes('%') ? decodeURIComponent(value) : value
}

/** Encodes a list as one value with run lengths: `['a', 'a', 'b']` → `a*2,b`. */
export function encodeList(items: readonly string[]): string {
  if (items.length === 1) return encodeItem(items[0]!)
  const runs: string[] = []
  for (let i = 0; i < items.length;) {
    const item = items[i]!
    let end = i + 1
    while (end < items.length && items[end] === item) end++
    const text = encodeItem(item)
    runs.push(end - i === 1 ? text : `${text}*${end - i}`)
    i = end
  }
  return runs.join(',')
}

function encodeItem(item: string): string {
  return plainItem.test(item) ? item : encodeURIComponent(item).replaceAll('*', '%2A')
}

/** The inverse of {@link encodeList}. Returns `undefined` unless the value is a list of `count` items. */
export function decodeList(value: string, count: number): string[] | undefined {
  const items = decodeListUpTo(value, count)
  return items?.length === count ? items : undefined
}

/** The inverse of {@link encodeList}. Returns `undefined` unless the value is a list of 1 to `max` items. */
export function decodeListUpTo(value: string, max: number): string[] | undefined {
  // Most lists have one item: the only event of a commit.
  if (max >= 1 && !value.includes(',') && !value.includes('*'))
    return [decodeHeader(value)]
  const items: string[] = []
  for (const run of value.split(',', max + 1)) {
    const star = run.indexOf('*')
    const times = star < 0 ? 1 : Number(run.slice(star + 1))
    if (!Number.isSafeInteger(times) || times < 1 || items.length + times > max)
      return undefined
    const item = decodeHeader(star < 0 ? run : run.slice(0, star))
    for (let i = 0; i < times; i++) items.push(item)
  }
  return items
}
