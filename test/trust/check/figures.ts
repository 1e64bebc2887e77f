// Small calculations of the report.

export function countBy<Item>(
  items: Iterable<Item>,
  keyOf: (item: Item) => string,
): [key: string, count: number][] {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1)
  return [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** The longest part of an interval without any of the moments, which are in order. */
export function longestGap(moments: readonly number[], from: number, to: number): number {
  let longest = 0
  let last = from
  for (const moment of moments) {
    if (moment <= from) continue
    if (moment >= to) break
    longest = Math.max(longest, moment - last)
    last = moment
  }
  return Math.max(longest, to - last)
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(2)} %`
}
