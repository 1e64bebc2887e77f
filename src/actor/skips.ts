// Skips: versions of one actor that folding passes over, because an operator said so.
//
// Immutable: another set is another object, so that "the same as before" is one comparison.
// K1. Which states may be used is decided by what was passed over: a carried state names the
//     skips up to its version, and counts only where they are those of the reader. So every
//     node folds the same, in whatever order it hears of skips and commits.

import type { Version } from '../model/version.js'

/** First and last version. */
export type VersionRange = readonly [first: Version, last: Version]

export class Skips {
  /** Ascending; they neither overlap nor touch. */
  readonly ranges: readonly VersionRange[]

  private constructor(ranges: readonly VersionRange[]) {
    this.ranges = ranges
  }

  /** Undefined for none. */
  static of(ranges: readonly VersionRange[]): Skips | undefined {
    const merged = mergeRanges(ranges)
    return merged.length === 0 ? undefined : new Skips(merged)
  }

  /** Whether all of these versions are passed over. */
  covers(first: Version, last: Version): boolean {
    return first <= last && this.ranges.some(([from, to]) => from <= first && last <= to)
  }

  /** Those up to a version, as {@link FoldedState.skipped} has them; undefined for none. */
  upTo(version: Version): string | undefined {
    const parts = this.ranges
      .filter(([first]) => first <= version)
      .map(([first, last]) => formatRange([first, Math.min(last, version)]))
    return parts.length === 0 ? undefined : parts.join(',')
  }

  toString(): string {
    return this.ranges.map(formatRange).join(',')
  }
}

/** The same versions, ascending, in as few ranges as can be. */
export function mergeRanges(ranges: readonly VersionRange[]): VersionRange[] {
  const merged: VersionRange[] = []
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = merged.at(-1)
    if (before === undefined || before[1] + 1 < first) merged.push([first, last])
    else merged[merged.length - 1] = [before[0], Math.max(before[1], last)]
  }
  return merged
}

/** `3`, or `7-9`. */
export function formatRange([first, last]: VersionRange): string {
  return first === last ? String(first) : `${first}-${last}`
}
