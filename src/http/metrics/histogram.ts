// A histogram as samples: cumulative buckets, the sum and the count.

import type { Labels, Sample } from './exposition.js'

/**
 * @param bounds upper bounds, ascending
 * @param counts by bound, not cumulative, and one more for what is above all of them
 */
export function histogramSamples(
  labels: Labels,
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
): Sample[] {
  let below = 0
  const buckets = counts.map((count, i): Sample => {
    below += count
    const le = i < bounds.length ? String(bounds[i]) : '+Inf'
    return { suffix: '_bucket', labels: { ...labels, le }, value: below }
  })
  return [
    ...buckets,
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: below },
  ]
}
