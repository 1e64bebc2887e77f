// Skips: versions of one actor that folding skips because an operator said so.
//
// Immutable: a changed set is another object, so comparing identities tells whether it has changed.
// SKIPS-1. A stored state is used only by a reader with the same skips: it contains the skips up to its
//          version, and a reader with other skips ignores it. So every node folds the same state, in
//          whatever order it receives skips and commits.

import type { Version } from '../model/version.js'

/** First and last version. */
export type VersionRange = readonly [first: Version, last: Version]

export class Skips {
  /** Ascending; ranges do not overlap or adjoin. */
  readonly ranges: readonly VersionRange[]

  private constructor(ranges: readonly VersionRange[]) {
    this.ranges = ranges
  }

  /** Undefined for no ranges. */
  static of(ranges: readonly VersionRange[]): Skips | undefined {
    const merged = mergeRanges(ranges)
    return merged.length === 0 ? undefined : new Skips(merged)
  }

  /** Whether all of these versions are skipped. */
  covers(first: Version, last: Version): boolean {
    return first <= last && this.ranges.some(([from, to]) => from <= first && last <= to)
  }

  /** The skips up to a version in the form of `InlineState.skipped`; undefined for none. */
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

/** The same versions in ascending order, in as few ranges as possible. */
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
