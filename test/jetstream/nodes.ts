// Shared by the tests against real servers: nodes with access to their parts, intentions that are
// written despite failures, and checks of the log against them.

import type { Test } from 'tap'

import { NatsBus } from '../../src/bus/nats.js'
import { type ActorAddress, formatAddress } from '../../src/model/address.js'
import type { StoredCommit } from '../../src/model/commit.js'
import { type CairnError, isCairnError } from '../../src/model/errors.js'
import { newId } from '../../src/model/id.js'
import type { ExpectedVersion } from '../../src/model/version.js'
import { Connection } from '../../src/nats/connection.js'
import type { LogStreamOptions, NatsOptions } from '../../src/nats/options.js'
import { ensureLogStream } from '../../src/nats/log-stream.js'
import type {
  AppendOptions,
  AppendResult,
  EventStore,
} from '../../src/store/event-store/event-store.js'
import { JetStreamStore } from '../../src/store/event-store/jetstream.js'
import { OwnCommits } from '../../src/store/event-store/own-commits.js'
import type { GroupOptions } from '../support/jetstream-fixture.js'

export interface Node extends AsyncDisposable {
  readonly id: string
  readonly store: JetStreamStore
  readonly bus: NatsBus
  readonly connection: Connection
}

export interface NodeOptions extends NatsOptions, LogStreamOptions, GroupOptions {
  readonly namespace: string
  readonly nodeId?: string
}

/** A store and a bus on one connection to the given servers. */
export async function openNode(
  servers: string,
  { namespace, nodeId = `node-${newId()}`, groupCommit, groupMin, ...nats }: NodeOptions,
): Promise<Node> {
  const options = { servers, ignoreClusterUpdates: true, ...nats }
  const connection = await Connection.open(options, namespace, nodeId)
  const stream = await ensureLogStream(connection, namespace, options)
  const own = new OwnCommits(namespace)
  const store = new JetStreamStore({
    namespace,
    nodeId,
    connection,
    stream,
    own,
    ...(groupCommit !== undefined && { groupCommit }),
    ...(groupMin !== undefined && { groupMin }),
  })
  const bus = new NatsBus(connection, own)
  return {
    id: nodeId,
    store,
    bus,
    connection,
    async [Symbol.asyncDispose]() {
      await bus.close()
      await store.close()
      await connection.close()
    },
  }
}

/** Namespaces that no other test uses. */
export function freshNamespace(): string {
  return `t-${newId()}`
}

/** Pseudo-random numbers in [0, 1) from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The results that writers received. Each intention has its own command id. */
export class Ledger {
  readonly acknowledged = new Map<string, Extract<AppendResult, { ok: true }>>()
  readonly unknown = new Map<string, string>()
  readonly conflicts: string[] = []
  readonly refused: string[] = []
  #next = 0

  get told(): number {
    return (
      this.acknowledged.size +
      this.unknown.size +
      this.conflicts.length +
      this.refused.length
    )
  }

  /** Appends `count` events for one new intention, and records the result. */
  async write(
    store: EventStore,
    actor: ActorAddress,
    expected: ExpectedVersion,
    count = 1,
    options: AppendOptions = {},
  ): Promise<AppendResult | CairnError> {
    const id = `intention-${this.#next++}`
    const events = Array.from({ length: count }, () => ({ type: 'added', data: { id } }))
    try {
      const result = await store.append(actor, events, {
        ...options,
        expected,
        command: { id },
      })
      if (result.ok) this.acknowledged.set(id, result)
      else this.conflicts.push(id)
      return result
    } catch (error) {
      if (isCairnError(error, 'outcome-unknown'))
        this.unknown.set(id, String(error.details.commitId))
      else if (isCairnError(error) && nothingStored.has(error.code)) this.refused.push(id)
      else throw error
      return error
    }
  }

  /**
   * Checks the log against the results: each acknowledged intention exactly once at its position,
   * each unknown one at most once under its commit id, any other never; dense versions of every
   * actor.
   */
  async check(t: Test, store: EventStore): Promise<void> {
    const { commits, dense } = await readHistory(store)
    const stored = new Map<string, StoredCommit[]>()
    for (const commit of commits) {
      const id = commit.command?.id ?? 'none'
      stored.set(id, [...(stored.get(id) ?? []), commit])
    }
    t.strictSame(dense, [], 'every actor has versions 1, 2, 3 … without a gap')
    const twice = [...stored].filter(([, found]) => found.length > 1).map(([id]) => id)
    t.strictSame(twice, [], 'no intention is stored twice')
    const wrong: string[] = []
    for (const [id, told] of this.acknowledged) {
      const commit = stored.get(id)?.[0]
      const same =
        commit !== undefined &&
        commit.id === told.commitId &&
        commit.position === told.position &&
        commit.firstVersion === told.firstVersion &&
        commit.lastVersion === told.version &&
        formatAddress(commit.actor) === formatAddress(told.actor)
      if (!same) wrong.push(id)
    }
    t.strictSame(wrong, [], 'every acknowledged append is in the log where it was said')
    const others = [...this.unknown].filter(
      ([id, commitId]) => stored.has(id) && stored.get(id)![0]!.id !== commitId,
    )
    t.strictSame(others, [], 'what is unknown is told by its true commit id')
    const never = [...this.conflicts, ...this.refused].filter(id => stored.has(id))
    t.strictSame(never, [], 'what was refused is not in the log')
    t.equal(
      commits.length,
      this.acknowledged.size +
        [...this.unknown.keys()].filter(id => stored.has(id)).length,
      'the log holds nothing else',
    )
  }

  summary(): string {
    return (
      `${this.acknowledged.size} acknowledged, ${this.unknown.size} unknown, ` +
      `${this.conflicts.length} conflicts, ${this.refused.length} refused`
    )
  }
}

const nothingStored = new Set<string>(['store-unreachable', 'contention', 'aborted'])

/** Every commit of the log, and the actors whose versions are not dense. */
export async function readHistory(
  store: EventStore,
): Promise<{ commits: StoredCommit[]; dense: string[] }> {
  const commits: StoredCommit[] = []
  const versions = new Map<string, number>()
  const dense: string[] = []
  let position = 0
  for await (const record of store.readAll()) {
    if (record.position <= position) dense.push(`position ${record.position} twice`)
    position = record.position
    if (record.kind !== 'commit') {
      dense.push(`position ${record.position} is malformed: ${record.reason}`)
      continue
    }
    commits.push(record)
    const actor = formatAddress(record.actor)
    const before = versions.get(actor) ?? 0
    if (record.firstVersion !== before + 1)
      dense.push(`${actor}: ${record.firstVersion} follows ${before}`)
    versions.set(actor, record.lastVersion)
  }
  return { commits, dense }
}

/** Asserts an error's code, and that its message names what it should; returns the error. */
export async function throwsCode(
  t: Test,
  code: string,
  work: () => unknown,
  ...names: (string | RegExp)[]
): Promise<CairnError> {
  try {
    await work()
  } catch (error) {
    if (!isCairnError(error)) throw error
    t.equal(error.code, code, error.message)
    for (const name of names)
      t.ok(
        typeof name === 'string'
          ? error.message.includes(name)
          : name.test(error.message),
        `"${error.message}" names ${String(name)}`,
      )
    return error
  }
  throw new Error(`wanted ${code}, and nothing was thrown`)
}
