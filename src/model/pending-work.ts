// Work that has not ended: it is pending from the commit that asks for it until the one of its end or of its cancellation.
//
// What is pending follows from the commits alone, as a state does; an inline state carries it along.
// WORK-1. A piece of work has a key, the id of its outbox entry: the same on every node and in every attempt.
// WORK-2. Its end is a command to its actor under an id that is derived from the key. A stored commit with that id ends it;
//     an end that the actor rejects, or that stores nothing, is stored as an event of its own, `workEndedType`.
// WORK-3. An end of work that is not pending any more is rejected without being decided.

import { type ActorAddress, formatAddress } from './address.js'
import { CairnError } from './errors.js'
import { type OutboxEntry, outboxEntryId } from './outbox.js'
import type { Version } from './version.js'
import type { PendingWork, WorkTerms } from './work.js'

/** What a commit says of work. */
export interface WorkCommit {
  readonly actor: ActorAddress
  readonly firstVersion: Version
  readonly outbox?: readonly OutboxEntry[] | undefined
}

/** The most work that may be pending for one actor. */
export const pendingWorkMax = 1_000

const endSuffix = ':end'

/** The id of the command that brings the end of a piece of work, or of a child (WORK-2). */
export function endId(key: string): string {
  return `${key}${endSuffix}`
}

/** Whether a command id is that of an end. */
export function isEndId(commandId: string): boolean {
  return commandId.endsWith(endSuffix)
}

/** The key of the actor's own work whose end a command brings; `undefined` for any other command. */
export function endedKeyOf(actor: ActorAddress, commandId: string): string | undefined {
  // Most commands: this runs for each.
  if (!commandId.endsWith(endSuffix)) return undefined
  const prefix = `${formatAddress(actor)}/`
  if (!commandId.startsWith(prefix)) return undefined
  const key = commandId.slice(0, -endSuffix.length)
  return /^\d{1,15}#\d{1,3}$/.test(key.slice(prefix.length)) ? key : undefined
}

/**
 * The work that is pending after a commit; `undefined` for none.
 * @param before what was pending before it
 * @param commandIds the ids of its commands
 */
export function pendingAfter(
  before: readonly PendingWork[] | undefined,
  { actor, firstVersion, outbox }: WorkCommit,
  commandIds: Iterable<string | undefined>,
): readonly PendingWork[] | undefined {
  let pending = before
  if (pending !== undefined) {
    const ended = new Set(
      [...commandIds].map(id => (id === undefined ? id : endedKeyOf(actor, id))),
    )
    if (pending.some(({ key }) => ended.has(key)))
      pending = pending.filter(({ key }) => !ended.has(key))
  }
  for (const [index, entry] of outbox?.entries() ?? [])
    if (entry.kind === 'perform') {
      const { kind: _, ...terms } = entry
      const key = outboxEntryId(actor, firstVersion, index)
      pending = [...(pending ?? []), { key, ...terms }]
    } else if (entry.kind === 'stop')
      pending = pending?.filter(one => !isMeant(entry, one))
  return pending?.length === 0 ? undefined : pending
}

/** Whether a cancellation means a piece of work. */
function isMeant(
  { work, name }: Pick<WorkTerms, 'work' | 'name'>,
  pending: PendingWork,
): boolean {
  return pending.work === work && (name === undefined || pending.name === name)
}

/** Throws `queue-full` if a commit would leave too much pending. */
export function checkPendingWork(
  actor: ActorAddress,
  pending: readonly PendingWork[] | undefined,
): void {
  if (pending === undefined || pending.length <= pendingWorkMax) return
  const name = formatAddress(actor)
  throw new CairnError(
    'queue-full',
    `${name} would have ${pending.length} pieces of work that have not ended, and the limit is ${pendingWorkMax}; nothing ` +
      'was stored. Perform more when some have ended.',
    { details: { actor: name, limit: pendingWorkMax } },
  )
}
