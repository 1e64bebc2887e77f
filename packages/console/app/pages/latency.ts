// Latencies from histograms that only grow: what came between two readings, as a quantile.

/** Upper bounds in milliseconds of the counts of a node's statistics; the last count is of what took longer. */
const bounds = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]

/** By outcome. */
export type Latency = Readonly<Record<string, { readonly counts: readonly number[] }>>

/** How many commands fell below each bound, of all outcomes. */
export function countsOf(latency: Latency = {}): readonly number[] {
  const all = Array.from({ length: bounds.length + 1 }, () => 0)
  for (const { counts } of Object.values(latency))
    for (const [i, count] of counts.entries()) all[i]! += count
  return all
}

/**
 * Milliseconds that a share of the commands between two readings took at most, in a straight line within its bucket; 0 if
 * there were none. What is above the last bound counts as that bound.
 */
export function quantileBetween(
  before: readonly number[],
  after: readonly number[],
  share: number,
): number {
  const counts = after.map((count, i) => Math.max(0, count - (before[i] ?? 0)))
  const wanted = share * counts.reduce((sum, count) => sum + count, 0)
  if (wanted === 0) return 0
  let below = 0
  for (const [i, count] of counts.entries()) {
    if (below + count >= wanted && count > 0) {
      const from = bounds[i - 1] ?? 0
      const to = bounds[i] ?? bounds.at(-1)!
      return from + (to - from) * ((wanted - below) / count)
    }
    below += count
  }
  return bounds.at(-1)!
}
