// Exclusions: the members that own nothing because requests do not pass between them and others. Pure, and the same on
// every node that sees the same members and reports, so that nodes agree on owners while a link is bad.
//
// A member reports the members whose links it finds down, and itself if it does not hear itself. An unanswered request does
// not say which of the two ends is at fault, so the end with more bad links is taken to be.
//
// EXCLUSIONS-1. Members that report themselves are excluded first, then the one with the most bad links to others that
//     are not excluded, until no bad link is left between two that own something.
// EXCLUSIONS-2. At most a minority is excluded: nodes that are slow under load must not hand it to fewer and fewer. If
//     more report themselves, the server is at fault, and not they.
// EXCLUSIONS-3. The last member that has a type or a group is not excluded.

import type { Member } from './membership.js'

type Host = Pick<Member, 'id' | 'types' | 'groups'>

/** The ids that each member reports. */
export type Reports = ReadonlyMap<string, readonly string[]>

/** @param members sorted by id */
export function excludedBy(reports: Reports, members: readonly Host[]): Set<string> {
  const excluded = new Set<string>()
  if (reports.size === 0) return excluded
  const max = Math.floor((members.length - 1) / 2) // EXCLUSIONS-2
  const rest = new Map(members.map(member => [member.id, member]))
  const reportsOf = (id: string) => reports.get(id) ?? []
  const exclude = (id: string) => {
    excluded.add(id)
    rest.delete(id)
  }
  const isSpare = ({ id, types, groups = [] }: Host) => {
    const others = [...rest.values()].filter(other => other.id !== id)
    return (
      types.every(type => others.some(other => other.types.includes(type))) &&
      groups.every(group => others.some(other => other.groups?.includes(group) === true))
    )
  }
  const cutOff = members.filter(({ id }) => reportsOf(id).includes(id))
  if (cutOff.length <= max)
    for (const member of cutOff) if (isSpare(member)) exclude(member.id)
  while (excluded.size < max) {
    const worst = worstOf(rest, reportsOf, isSpare)
    if (worst === undefined) break
    exclude(worst)
  }
  return excluded
}

/** The member with the most bad links; of equal ones that which more members report, then the last one. */
function worstOf(
  rest: ReadonlyMap<string, Host>,
  reportsOf: (id: string) => readonly string[],
  isSpare: (member: Host) => boolean,
): string | undefined {
  let worst: string | undefined
  let most = 0
  for (const [id, member] of rest) {
    const others = [...rest.keys()].filter(other => other !== id)
    const reported = others.filter(other => reportsOf(other).includes(id))
    const reporting = others.filter(other => reportsOf(id).includes(other))
    const badLinks = new Set([...reported, ...reporting]).size
    const score = badLinks * (rest.size + 1) + reported.length
    if (badLinks === 0 || score < most || !isSpare(member)) continue
    worst = id
    most = score
  }
  return worst
}
