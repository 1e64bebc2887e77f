// Fixtures and assertions of the event store contract.

import type { Test } from 'tap'

import { encodeCommit } from '../../../src/codec/envelope.js'
import type { ActorAddress } from '../../../src/model/address.js'
import type { LogRecord, StoredCommit } from '../../../src/model/commit.js'
import { type ErrorCode, isCairnError } from '../../../src/model/errors.js'
import type { NewEvent } from '../../../src/model/event.js'
import type {
  Appended,
  AppendOptions,
  EventStore,
  FollowOptions,
  VersionConflict,
} from '../../../src/store/event-store/event-store.js'
import type { VersionCacheLimits } from '../../../src/store/version-cache.js'

export interface OpenOptions {
  /** Default: a different one for each store. */
  readonly nodeId?: string
  /** Default: one namespace for the whole fixture. */
  readonly namespace?: string
  readonly cache?: VersionCacheLimits
}

/** A record as a foreign program might store it in a log. */
export interface InjectedRecord {
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/** Empty storage. The stores opened on it are nodes that share it. */
export interface StoreFixture extends AsyncDisposable {
  open(options?: OpenOptions): Promise<EventStore>
  /** Stores a record in an actor's history, in the default namespace, past every check. */
  injectRecord(actor: ActorAddress, record: InjectedRecord): Promise<void>
}

/** Declares one test of the contract. */
export type Suite = (
  title: string,
  body: (t: Test, fixture: StoreFixture) => Promise<void>,
) => void

export const account: ActorAddress = { type: 'account', id: 'alice' }

export function actorOf(id: string, type = 'account'): ActorAddress {
  return { type, id }
}

/** Events `deposited` with the amounts given. */
export function deposits(...amounts: number[]): NewEvent[] {
  return amounts.map(amount => ({ type: 'deposited', data: { amount } }))
}

/** Appends, or throws when the store answers with a conflict. */
export async function mustAppend(
  store: EventStore,
  actor: ActorAddress,
  events: readonly NewEvent[],
  options?: AppendOptions,
): Promise<Appended> {
  const result = await store.append(actor, events, options)
  if (result.ok) return result
  throw new Error(`append to ${actor.type}/${actor.id} met ${JSON.stringify(result)}`)
}

/** Commits of the given sizes, one after another; amounts count 1, 2, 3 … */
export async function fill(
  store: EventStore,
  actor: ActorAddress,
  sizes: readonly number[],
): Promise<void> {
  let version = 0
  for (const size of sizes) {
    const amounts = Array.from({ length: size }, (_, i) => version + i + 1)
    await mustAppend(store, actor, deposits(...amounts), { expected: version })
    version += size
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export const followDeadline = 60_000

/** The first `count` records that following yields; throws if they do not arrive in time. */
export async function followed(
  store: EventStore,
  count: number,
  options: FollowOptions = {},
): Promise<LogRecord[]> {
  const signal = AbortSignal.timeout(followDeadline)
  const records: LogRecord[] = []
  for await (const record of store.follow({ ...options, signal })) {
    records.push(record)
    if (records.length === count) return records
  }
  throw new Error(
    `following yielded ${records.length} of ${count} records in ${followDeadline} ms`,
  )
}

/** Asserts that the work is refused with the error code. */
export async function refuses(
  t: Test,
  code: ErrorCode,
  work: () => unknown,
  message: string,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isCairnError(error)) throw error
    t.equal(error.code, code, `${message}: ${error.message}`)
    return
  }
  t.fail(`${message}: refused with ${code}`)
}

/** Asserts a conflict with all of its properties. */
export function isConflict(
  t: Test,
  found: unknown,
  wanted: Omit<VersionConflict, 'ok'>,
  message: string,
): void {
  t.strictSame(found, { ok: false, ...wanted }, message)
}

export function asCommit(record: LogRecord | undefined): StoredCommit {
  if (record?.kind === 'commit') return record
  throw new Error(`wanted a commit, found ${JSON.stringify(record)}`)
}

/** Every version in the commits, in their order. */
export function versionsOf(records: readonly LogRecord[], actor: ActorAddress): number[] {
  return records.flatMap(record =>
    record.kind === 'commit' &&
    record.actor.type === actor.type &&
    record.actor.id === actor.id
      ? record.events.map(event => event.version)
      : [],
  )
}

/** `[from, from + 1, … to]`, or downwards. */
export function span(from: number, to: number): number[] {
  const step = from <= to ? 1 : -1
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step)
}

/** The headers of a whole commit of `count` events. */
export function commitHeaders(
  actor: ActorAddress,
  firstVersion: number,
  count = 1,
): Record<string, string> {
  const amounts = Array.from({ length: count }, () => 1)
  const { headers } = encodeCommit({
    id: `injected-${firstVersion}`,
    actor,
    firstVersion,
    events: deposits(...amounts),
    at: 1_767_225_600_000,
    nodeId: 'elsewhere',
  })
  return Object.fromEntries(headers)
}

export { isCairnError }
