// The causes of what a child reports: those of the commit that started it.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { carriedCauses, correlationOf } from '../model/causes.js'
import { type Causes, originAt } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import type { EventStore } from '../store/event-store/event-store.js'

/**
 * Reads them from the log: whichever node runs the child now, they are the same. The child itself is the cause. Throws the
 * errors of reading, and `store-unreachable` while a replica lags behind.
 *
 * @param key of the child; it has the version of the commit, as `<type>/<id>/<version>#…`
 */
export async function causesOfChild(
  store: Pick<EventStore, 'commits'>,
  actor: ActorAddress,
  key: string,
  signal: AbortSignal,
): Promise<Causes> {
  const rest = key.slice(formatAddress(actor).length + 1)
  const version = Number.parseInt(rest, 10)
  // Most children end a few commits later.
  const commits = store.commits(actor, { from: version, backwards: true, signal })
  for await (const commit of commits) {
    if (commit.kind === 'malformed') {
      if (commit.versions === undefined || commit.versions.first > version) continue
      return { causationId: key }
    }
    if (commit.firstVersion > version) continue
    const { causes, commandId } = originAt(commit, version)
    return {
      correlationId: correlationOf(causes.correlationId, commandId, commit.id),
      causationId: key,
      ...carriedCauses(causes),
    }
  }
  throw new CairnError(
    'store-unreachable',
    `The commit of version ${version} of ${formatAddress(actor)}, which started ${key}, cannot be read yet: the replica that was ` +
      'asked lags behind. It is read again.',
  )
}
