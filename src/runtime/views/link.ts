// What led to a commit and what it led to, as tools show it: with --json, and over HTTP.

import { formatAddress } from '../../model/address.js'
import type { StoredCommit } from '../../model/commit.js'
import type { Link } from '../links.js'
import { isoTime } from './iso-time.js'

/** The causes, the commit itself and its effects, each with its depth in the tree. */
export function linkViews(
  causes: readonly Link[],
  commit: StoredCommit,
  effects: readonly Link[],
): readonly LinkView[] {
  const depth = causes.length
  return [
    ...causes.map((link, i) => viewOf(link, 'cause', i)),
    viewOf({ kind: 'commit', commit }, 'this', depth),
    ...effects.map(link => viewOf(link, 'effect', depth + (link.depth ?? 1))),
  ]
}

export type LinkView = ReturnType<typeof viewOf>

function viewOf(link: Link, relation: 'cause' | 'this' | 'effect', depth: number) {
  const base = { relation, depth, kind: link.kind }
  switch (link.kind) {
    case 'outside':
      return {
        ...base,
        what: link.what,
        position: null,
        by: link.by,
        principal: null,
        at: null,
      }
    case 'entry':
      return {
        ...base,
        what: `${link.what} ${link.id}`,
        position: null,
        by: link.by,
        principal: null,
        at: link.at === undefined ? null : isoTime(link.at),
      }
    case 'commit': {
      const { actor, firstVersion, lastVersion, events, position, at } = link.commit
      const versions =
        firstVersion === lastVersion
          ? `v${firstVersion}`
          : `v${firstVersion}-${lastVersion}`
      const types = events.map(({ type }) => type).join(',')
      return {
        ...base,
        what: `${actor.type}/${actor.id} ${versions} ${types}`,
        actor: formatAddress(actor),
        version: lastVersion,
        position,
        by: link.by ?? '',
        principal: principalsOf(link.commit),
        at: isoTime(at),
      }
    }
  }
}

/** Who asked for the commit; several, if its commands came from several. */
function principalsOf({ events }: StoredCommit): string | null {
  const principals = new Set(events.flatMap(({ principal = [] }) => principal))
  return principals.size === 0 ? null : [...principals].join(', ')
}
