// The links between commits: which entry of which commit caused a commit.
//
// Nothing is stored for it: ids say it. What an entry of a commit's outbox causes has the entry's id, `TYPE/ID/VERSION#i`,
// in its command id; a timer's firing has `…#i@n`, the end of work `…#i:end`; what a reactor does has
// `…>REACTOR#COMMAND.n` (`…>REACTOR#n` by older builds), and the message's id as its cause.

import { type ActorAddress, formatAddress, parseAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError } from '../model/errors.js'
import { eventId } from '../model/event.js'
import { type OutboxEntry, outboxEntryId } from '../model/outbox.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { Timers } from '../store/timers/timers.js'

export type Link =
  | {
      readonly kind: 'commit'
      readonly commit: StoredCommit
      readonly by?: string
      readonly depth?: number
    }
  /** An entry of an outbox that is not a commit: a message, a timer that waits, a command that is not handled yet. */
  | {
      readonly kind: 'entry'
      readonly what: string
      readonly id: string
      readonly by: string
      readonly at?: number
      readonly depth?: number
    }
  /** What is not in the log: a caller, a message of plain code. */
  | {
      readonly kind: 'outside'
      readonly what: string
      readonly by: string
      readonly depth?: number
    }

/** What caused something, as its ids say it. */
interface Origin {
  readonly event: { readonly actor: ActorAddress; readonly version: number }
  /** The index of the outbox entry; absent for an event. */
  readonly entry?: number
  readonly by: string
}

/** A chain longer than this is cut. */
const chainMax = 1_000

/** The causes of a commit, the first one first. */
export async function causesOf(
  store: EventStore,
  commit: StoredCommit,
  signal: AbortSignal,
): Promise<readonly Link[]> {
  const causes: Link[] = []
  let now = commit
  while (causes.length < chainMax) {
    const [origin] = originsOf(now)
    const before = origin && (await commitOf(store, origin, signal))
    if (origin === undefined || before === undefined || before.position >= now.position) {
      const outside = outsideOf(now, origin)
      if (outside !== undefined) causes.unshift(outside)
      return causes
    }
    const [its] = originsOf(before)
    causes.unshift({ kind: 'commit', commit: before, ...(its && { by: its.by }) })
    now = before
  }
  return causes
}

/** What links are read from. */
export interface LinkSources {
  readonly store: EventStore
  readonly timers: Pick<Timers, 'get'>
}

/** The commit at a position. Throws `invalid-option` where there is none. */
export async function commitAt(
  store: EventStore,
  position: number,
  signal: AbortSignal,
): Promise<StoredCommit> {
  for await (const record of store.readAll({ after: position - 1, limit: 1, signal })) {
    if (record.position !== position) break
    if (record.kind === 'commit') return record
    throw new CairnError(
      'invalid-option',
      `The record at position ${position} is no commit: ${record.reason}.`,
    )
  }
  const last = await store.lastPosition({ signal })
  throw new CairnError(
    'invalid-option',
    `There is no commit at position ${position}: the last one of ${store.namespace} is at ${last}.`,
  )
}

/**
 * What a commit has caused, each below its cause.
 *
 * @param limit commits after it that are looked at, at most
 */
export async function effectsOf(
  { store, timers }: LinkSources,
  commit: StoredCommit,
  {
    limit,
    signal,
    onProgress,
  }: { limit: number; signal: AbortSignal; onProgress?: (count: number) => void },
): Promise<{ readonly effects: readonly Link[]; readonly isComplete: boolean }> {
  const nodes = new Map<number, Found>([[commit.position, found(commit, undefined, '')]])
  /** By event id: the commit that holds the event. */
  const events = new Map<string, Found>()
  const know = (one: Found) => {
    for (const { id } of one.commit.events) events.set(id, one)
  }
  know(nodes.get(commit.position)!)
  let read = 0
  for await (const record of store.readAll({ after: commit.position, limit, signal })) {
    if (++read % 1_000 === 0) onProgress?.(read)
    if (record.kind !== 'commit') continue
    for (const origin of originsOf(record)) {
      const { actor, version } = origin.event
      const parent = events.get(eventId(actor, version))
      if (parent === undefined) continue
      const child = found(record, origin.entry, origin.by)
      parent.effects.push(child)
      know(child)
      break
    }
  }
  const effects: Link[] = []
  const visit = async (one: Found, depth: number): Promise<void> => {
    const { actor, firstVersion, outbox = [] } = one.commit
    for (const [i, entry] of outbox.entries()) {
      const below = one.effects.filter(effect => effect.entry === i)
      const id = outboxEntryId(actor, firstVersion, i)
      const shown = await entryLink(entry, id, actor, below.length > 0)
      if (shown !== undefined) effects.push({ ...shown, depth })
      for (const effect of below)
        await show(effect, depth + (shown === undefined ? 0 : 1))
    }
    for (const effect of one.effects)
      if (effect.entry === undefined || effect.entry >= outbox.length)
        await show(effect, depth)
  }
  const show = async (one: Found, depth: number): Promise<void> => {
    effects.push({ kind: 'commit', commit: one.commit, by: one.by, depth })
    await visit(one, depth + 1)
  }
  const entryLink = async (
    entry: OutboxEntry,
    id: string,
    actor: ActorAddress,
    isHandled: boolean,
  ): Promise<Link | undefined> => {
    switch (entry.kind) {
      case 'message':
        return { kind: 'entry', what: `message on ${entry.topic}`, id, by: '' }
      case 'command':
        if (isHandled) return undefined
        return {
          kind: 'entry',
          what: `command ${entry.type} to ${formatAddress(entry.actor)}`,
          id,
          by: 'no commit yet: it waits, was refused, or stored nothing',
        }
      case 'timer': {
        if (isHandled) return undefined
        const set = await timers.get(actor, entry.name, { signal })
        const by = set === undefined ? 'not set any more' : 'waits'
        return { kind: 'entry', what: `timer ${entry.name}`, id, by, at: entry.at }
      }
      case 'cancel':
        return { kind: 'entry', what: `cancels timer ${entry.name}`, id, by: '' }
      case 'perform':
        if (isHandled) return undefined
        return {
          kind: 'entry',
          what: `work ${entry.work}`,
          id,
          by: 'has not ended, or was cancelled',
        }
      case 'stop':
        return { kind: 'entry', what: `cancels work ${entry.work}`, id, by: '' }
    }
  }
  await visit(nodes.get(commit.position)!, 1)
  return { effects, isComplete: read < limit }
}

interface Found {
  readonly commit: StoredCommit
  readonly entry: number | undefined
  readonly by: string
  readonly effects: Found[]
}

function found(commit: StoredCommit, entry: number | undefined, by: string): Found {
  return { commit, entry, by, effects: [] }
}

/** What caused the commands of a commit, as far as it is in the log. */
function originsOf({ command, commands, causationId }: StoredCommit): readonly Origin[] {
  const causes =
    commands === undefined
      ? [[command?.id, causationId] as const]
      : commands.map(one => [one.id, one.causationId] as const)
  return causes.flatMap(([id, cause]) => {
    const origin = originOf(id, cause)
    return origin === undefined ? [] : [origin]
  })
}

function originOf(id: string | undefined, cause: string | undefined): Origin | undefined {
  const [, , reactor] = /^(.*)>([^>#]+)#(?:[^>#]*\.)?\d+$/s.exec(id ?? '') ?? []
  // A caller may give a command an id that looks like the one of an event.
  const own = reactor === undefined && id?.includes('#') === true ? readId(id) : undefined
  const known = own ?? readId(cause)
  if (known === undefined) return undefined
  const { occurrence, isEnd, ...origin } = known
  const by =
    reactor !== undefined
      ? `reactor ${reactor}`
      : occurrence !== undefined
        ? 'timer'
        : isEnd === true
          ? 'work'
          : origin.entry === undefined
            ? 'event'
            : 'command'
  return { ...origin, by }
}

/** `TYPE/ID/VERSION`, `…#ENTRY`, `…#ENTRY@OCCURRENCE` or `…#ENTRY:end`; `undefined` for another id. */
function readId(id: string | undefined) {
  const [, name, version, entry, occurrence, end] =
    /^(.+)\/(\d{1,15})(?:#(\d{1,3})(?:@(\d{1,15})|(:end))?)?$/s.exec(id ?? '') ?? []
  if (name === undefined) return undefined
  try {
    return {
      event: { actor: parseAddress(name), version: Number(version) },
      ...(entry !== undefined && { entry: Number(entry) }),
      ...(occurrence !== undefined && { occurrence: Number(occurrence) }),
      ...(end !== undefined && { isEnd: true }),
    }
  } catch {
    return undefined // Another writer's id.
  }
}

/** The commit that holds an event. */
async function commitOf(
  store: EventStore,
  { event: { actor, version } }: Origin,
  signal: AbortSignal,
): Promise<StoredCommit | undefined> {
  for await (const record of store.commits(actor, { from: version, to: version, signal }))
    if (record.kind === 'commit') return record
  return undefined
}

/** What is not in the log: who sent the first command. */
function outsideOf(commit: StoredCommit, origin: Origin | undefined): Link | undefined {
  if (origin !== undefined) {
    const { actor, version } = origin.event
    const what = `event ${eventId(actor, version)}, which is not in the log`
    return { kind: 'outside', what, by: origin.by }
  }
  const command = commit.command ?? commit.commands?.[0]
  if (command === undefined) return undefined
  const cause = commit.causationId
  const what = cause === undefined ? `command ${command.id}` : `message ${cause}`
  return { kind: 'outside', what, by: 'from outside' }
}
