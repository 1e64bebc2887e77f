// The server versions that Cairn supports.

import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'

/**
 * 2.12 introduces the features that Cairn relies on (atomic batches, schedules, per-message TTL; ADR-50,
 * ADR-51, ADR-43). 2.12.2 fixes a deadlock between batched direct gets and parallel writes,
 * which would affect all reads. An older server ignores the newer headers and still
 * acknowledges, so it is refused.
 */
export const minimumServerVersion = '2.12.2'

/** Throws `server-too-old`, naming both versions. */
export function checkServerVersion(version: string, server: string): void {
  if (compareVersions(version, minimumServerVersion) >= 0) return
  throw new CairnError(
    'server-too-old',
    `The NATS server at ${server} is version ${version}, and Cairn needs ${minimumServerVersion} or newer ` +
      `(2.14.4 or newer is recommended). Upgrade it, or start one with: ${programs.nats}`,
    { details: { version, minimum: minimumServerVersion } },
  )
}

/**
 * Whether the server checks several expectations on other subjects in one batch correctly. Earlier versions
 * mixed up subjects of equal length, and could accept a wrong expectation.
 */
export function checksOtherSubjects(version: string): boolean {
  const recent = compareVersions(version, '2.14.4') >= 0
  const isOf212 = compareVersions(version, '2.13.0') < 0
  return recent || (isOf212 && compareVersions(version, '2.12.14') >= 0)
}

/** Compares two versions: negative, 0 or positive. Ignores pre-release suffixes. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbers(a), numbers(b)]
  for (let i = 0; i < 3; i++) {
    const difference = left[i]! - right[i]!
    if (difference !== 0) return difference
  }
  return 0
}

function numbers(version: string): [number, number, number] {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)
  return match === null
    ? [0, 0, 0]
    : [Number(match[1]), Number(match[2]), Number(match[3])]
}
