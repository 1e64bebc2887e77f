// A history, read once and arranged for the checks.

import type { DeadLine, Fault, History, LogLine, Moment } from '../history.js'
import { areHealed } from './faults.js'
import { type Reader, readersOf } from './handlings.js'
import { Messages, put } from './messages.js'
import { intent, intentOf, isOk, type Operation, operationsOf } from './operations.js'
import { isObject } from './same.js'
import {
  type CommandSlice,
  type CommitLine,
  idOf,
  type MessageLine,
  Timeline,
  typeOf,
} from './timeline.js'

/** A place where an intent is stored: a command's part of a commit, a commit, or a message. */
export interface Stored {
  readonly line: CommitLine | MessageLine
  readonly slice?: CommandSlice['slice']
}

export interface Indexed {
  readonly history: History
  readonly namespace: string
  /** Whether every fault has ended: only then must all that was accepted be done. */
  readonly isHealed: boolean
  readonly faults: readonly Fault[]
  readonly operations: readonly Operation[]
  /** By intent, in the order in which they were invoked. */
  readonly attempts: ReadonlyMap<string, readonly Operation[]>
  /** By intent, in the order of the log. */
  readonly stored: ReadonlyMap<string, readonly Stored[]>
  /** All of the log, those of other namespaces' actors, too. */
  readonly commits: readonly CommitLine[]
  readonly commitAt: ReadonlyMap<number, CommitLine>
  /** By actor; only those of this namespace. */
  readonly timelines: ReadonlyMap<string, Timeline>
  readonly messages: Messages
  readonly readers: readonly Reader[]
  readonly dead: readonly DeadLine[]
  /** At this moment at the latest the record was in the log: somebody was told of it, or of a later one. */
  storedBy(line: LogLine): Moment
  /** Before this moment the version was not stored: nobody had asked for it. */
  askedAt(actor: string, version: number): Moment
}

export function indexHistory(history: History): Indexed {
  const namespace = namespaceOf(history)
  const entries = history.entries.filter(
    entry => ((entry as InNamespace).namespace ?? namespace) === namespace,
  )
  const commits = history.log.filter(line => line.kind === 'commit')
  const messageLines = history.log.filter(line => line.kind === 'message')
  const own = commits.filter(({ actor }) => isOwn(actor, namespace))
  const timelines = timelinesOf(own)
  const operations = operationsOf(entries)
  const attempts = new Map<string, Operation[]>()
  for (const operation of operations) {
    const key = intentOf(operation.invoked)
    if (key !== undefined) put(attempts, key, operation)
  }
  const faults = entries.filter(entry => entry.kind === 'fault')
  return {
    history,
    namespace,
    isHealed: areHealed(faults),
    faults,
    operations,
    attempts,
    stored: storedIn(own, messageLines),
    commits,
    commitAt: new Map(commits.map(commit => [commit.position, commit])),
    timelines,
    messages: new Messages(own, messageLines),
    readers: readersOf(entries),
    dead: history.dead,
    storedBy: storedByOf(operations, timelines),
    askedAt: askedAtOf(timelines, attempts),
  }
}

interface InNamespace {
  readonly namespace?: string
}

function namespaceOf(history: History): string {
  return (history as InNamespace).namespace ?? history.run.namespaces[0] ?? ''
}

/** Ids name their namespace, except those of the records that Cairn writes for itself. */
export function isOwn(actor: string, namespace: string): boolean {
  return typeOf(actor).startsWith('cairn-') || idOf(actor).startsWith(`${namespace}:`)
}

function timelinesOf(commits: readonly CommitLine[]): Map<string, Timeline> {
  const byActor = new Map<string, CommitLine[]>()
  for (const commit of commits) put(byActor, commit.actor, commit)
  return new Map(
    [...byActor].map(([actor, ofActor]) => [actor, new Timeline(actor, ofActor)]),
  )
}

function storedIn(
  commits: readonly CommitLine[],
  messages: readonly MessageLine[],
): Map<string, Stored[]> {
  const stored = new Map<string, Stored[]>()
  for (const line of commits) {
    const { actor } = line
    for (const slice of line.slices)
      if (slice.id !== undefined)
        put(stored, intent.command(actor, slice.id), { line, slice })
    if (line.slices.every(({ id }) => id === undefined) || typeOf(actor) === 'tape')
      for (const { data } of line.events)
        put(stored, intent.append(actor, data), { line })
    for (const id of transactionsOf(line)) put(stored, intent.transaction(id), { line })
  }
  for (const line of messages) put(stored, intent.message(line.id), { line })
  return stored
}

/** A transaction over one actor is a plain append: only its events name it. */
export function transactionsOf({
  actor,
  transactionId,
  events,
}: CommitLine): Set<string> {
  const ids = new Set<string>()
  if (transactionId !== undefined) ids.add(transactionId)
  if (typeOf(actor) === 'purse')
    for (const { data } of events)
      if (isObject(data) && typeof data['transfer'] === 'string')
        ids.add(data['transfer'])
  return ids
}

function storedByOf(
  operations: readonly Operation[],
  timelines: ReadonlyMap<string, Timeline>,
): Indexed['storedBy'] {
  const tellings: { readonly position: number; readonly at: Moment }[] = []
  for (const operation of operations) {
    if (!isOk(operation)) continue
    const { invoked, completed } = operation
    const { version, at } = completed
    if (
      ['ask', 'append', 'transact'].includes(invoked.call) &&
      completed.position !== undefined
    )
      tellings.push({ position: completed.position, at })
    if (invoked.actor === undefined || version === undefined) continue
    const commit = timelines.get(invoked.actor)?.commitOf(version)
    if (commit !== undefined) tellings.push({ position: commit.position, at })
  }
  tellings.sort((a, b) => b.position - a.position)
  // Descending positions, each with the first moment at which it, or a later one, was told.
  let first = Infinity
  const known = tellings.map(({ position, at }) => ({
    position,
    at: (first = Math.min(first, at)),
  }))
  return line => {
    if (line.kind === 'message') return Infinity
    let low = 0
    let high = known.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (known[middle]!.position >= line.position) low = middle + 1
      else high = middle
    }
    return known[low - 1]?.at ?? Infinity
  }
}

function askedAtOf(
  timelines: ReadonlyMap<string, Timeline>,
  attempts: ReadonlyMap<string, readonly Operation[]>,
): Indexed['askedAt'] {
  const firstOf = (key: string) => attempts.get(key)?.[0]?.invoked.at
  const moments = new Map<string, readonly Moment[]>()
  const momentsOf = (timeline: Timeline) =>
    timeline.commits.flatMap(commit => {
      const { actor } = commit
      const known = [...transactionsOf(commit)].map(id => firstOf(intent.transaction(id)))
      const transaction = known.find(moment => moment !== undefined)
      return commit.slices.flatMap(({ id, firstVersion, lastVersion }) => {
        const command = id === undefined ? undefined : firstOf(intent.command(actor, id))
        const versions = Array.from(
          { length: lastVersion - firstVersion + 1 },
          (_, i) => firstVersion + i,
        )
        return versions.map(version => {
          const event = commit.events.find(one => one.version === version)
          const append = firstOf(intent.append(actor, event?.data))
          return command ?? transaction ?? append ?? -Infinity
        })
      })
    })
  return (actor, version) => {
    const timeline = timelines.get(actor)
    if (timeline === undefined || !timeline.isWhole) return -Infinity
    let known = moments.get(actor)
    if (known === undefined) moments.set(actor, (known = momentsOf(timeline)))
    return known[version - 1] ?? -Infinity
  }
}
