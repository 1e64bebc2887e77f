// The example domain of the actor tests, and stores whose calls are counted and can be delayed.

import t from 'tap'

import { encodeCommit } from '../../src/codec/envelope.js'
import type { ActorHost, ActorHostOptions } from '../../src/actor/actor-host.js'
import { createActorHost } from '../../src/actor/host.js'
import type { AnyActorDefinition } from '../../src/actor/definition.js'
import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { Watches } from '../../src/actor/watches.js'
import { DefinitionRegistry } from '../../src/actor/registry.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { NewCommit } from '../../src/model/commit.js'
import type { NewEvent } from '../../src/model/event.js'
import type { DurableCommandSender } from '../../src/model/command-sender.js'
import { deferred } from '../../src/model/wait.js'
import { MemoryLog, MemoryStore } from '../../src/store/event-store/memory.js'
import type {
  AppendOptions,
  CommitsOptions,
  EventStore,
} from '../../src/store/event-store/event-store.js'
import type { LmdbLog } from '../support/lmdb-log.js'

/** For references that send no commands. */
export const noKeeper: DurableCommandSender = {
  send: () => Promise.reject(new Error('nothing is sent here')),
}

export const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, { amount }: { amount: number }) => ({
      events: [event('deposited', { amount })],
      reply: after => after.balance,
    }),
    withdraw(state, { amount }: { amount: number }) {
      if (state.balance < amount)
        return reject('overdraft', `The balance is ${state.balance}.`, {
          balance: state.balance,
        })
      return event('withdrawn', { amount })
    },
    split: (_state, amounts: number[]) =>
      amounts.map(amount => event('deposited', { amount })),
    balance: state => ({ reply: state.balance }),
    idle() {},
    explode() {
      if (Date.now() > 0) throw new Error('the fuse was lit')
    },
    spoil: () => event('spoiled'),
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      balance: state.balance + amount,
    }),
    withdrawn: (state, { amount }: { amount: number }) => ({
      balance: state.balance - amount,
    }),
    spoiled(): { balance: number } {
      throw new Error('this milk is sour')
    },
  },
})

export const alice: ActorAddress = { type: 'account', id: 'alice' }

type Operation = 'head' | 'commits' | 'append'

/** The observations of a store, and hooks to delay it. */
export interface Observation {
  readonly calls: Record<Operation, number>
  /** Commits yielded by `commits`. */
  commitsRead: number
  /** Runs before an operation uses the log; it may wait or throw. */
  before: (operation: Operation) => Promise<void> | void
  /** Runs after an append has changed the log; it may wait or throw. */
  after: () => Promise<void> | void
  forget(): void
}

/** A store whose calls are counted, and delayed if a test asks for it. */
export type ObservedStore = EventStore & Observation

/** A log that several nodes of a test share. */
export type TestLog = MemoryLog | LmdbLog

export function observe(log: TestLog = new MemoryLog(), nodeId = 'a'): ObservedStore {
  const base: EventStore =
    log instanceof MemoryLog
      ? new MemoryStore({ namespace: 'test', nodeId, log })
      : log.store(nodeId)
  const plain = {
    append: base.append.bind(base),
    head: base.head.bind(base),
    commits: base.commits.bind(base),
  }
  const store: ObservedStore = Object.assign(base, {
    calls: { head: 0, commits: 0, append: 0 },
    commitsRead: 0,
    before: () => {},
    after: () => {},
    forget() {
      Object.assign(store.calls, { head: 0, commits: 0, append: 0 })
      store.commitsRead = 0
    },
    async append(
      actor: ActorAddress,
      events: readonly NewEvent[],
      options?: AppendOptions,
    ) {
      store.calls.append++
      await store.before('append')
      const result = await plain.append(actor, events, options)
      await store.after()
      return result
    },
    async head(actor: ActorAddress, options?: { signal?: AbortSignal }) {
      store.calls.head++
      await store.before('head')
      return plain.head(actor, options)
    },
    async *commits(actor: ActorAddress, options?: CommitsOptions) {
      store.calls.commits++
      await store.before('commits')
      for await (const record of plain.commits(actor, options)) {
        store.commitsRead++
        yield record
      }
    },
  })
  return store
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly details: object
}

export interface TestNode<Log extends TestLog = MemoryLog> {
  readonly store: ObservedStore
  readonly log: Log
  readonly host: ActorHost
  readonly lines: LogLine[]
}

export interface TestNodeOptions<Log extends TestLog = MemoryLog> extends Partial<
  Omit<ActorHostOptions, 'store'>
> {
  /** Shared by nodes that see each other's commits. */
  readonly on?: Log
  readonly actors?: readonly AnyActorDefinition[]
}

/** A host with its own store, on a log that may be shared. */
export function node(): TestNode
export function node<Log extends TestLog = MemoryLog>(
  options: TestNodeOptions<Log>,
): TestNode<Log>
export function node(options: TestNodeOptions<TestLog> = {}): TestNode<TestLog> {
  const { on: log = new MemoryLog(), actors = [account], nodeId = 'a', ...rest } = options
  const store = observe(log, nodeId)
  const lines: LogLine[] = []
  const host = createActorHost({
    store,
    nodeId,
    definitions: new DefinitionRegistry(actors),
    log: (level, message, details) => void lines.push({ level, message, details }),
    ...rest,
  })
  return { store, log, host, lines }
}

/** The watches of a node that hears of each commit. */
export function watchesOn(store: EventStore): Watches {
  const watches = new Watches(store)
  const hear = async () => {
    for await (const record of store.follow({ after: store.knownPosition() })) {
      const { actor, position } = record
      const version =
        record.kind === 'commit' ? record.lastVersion : record.versions?.last
      if (actor !== undefined && version !== undefined)
        watches.onCommit(actor, version, position)
    }
  }
  void hear()
  t.teardown(() => store.close())
  return watches
}

/** Stores commits as another program would, one per list of events. */
export async function write(
  log: TestLog,
  actor: ActorAddress,
  commits: readonly (readonly NewEvent[])[],
): Promise<void> {
  const store = observe(log, 'writer')
  for (const events of commits) await store.append(actor, events)
}

export function deposits(count: number, amount = 1): NewEvent[][] {
  return Array.from({ length: count }, () => [{ type: 'deposited', data: { amount } }])
}

/** Stores a record under the actor's name that Cairn did not write. */
export function pushForeign(log: TestLog, actor: ActorAddress): void {
  const version =
    log instanceof MemoryLog
      ? (log.actors.get(`${actor.type}/${actor.id}`)?.version ?? 0)
      : log.versionOf(actor)
  log.push(actor, version, { Hello: 'world' }, Buffer.from('not a commit'))
}

/** Stores a commit at the version that it has, with a damaged body unless `isWhole`. */
export function pushCommit(
  log: TestLog,
  commit: Partial<NewCommit> & Pick<NewCommit, 'actor' | 'firstVersion'>,
  isWhole = true,
): void {
  const events = commit.events ?? [{ type: 'deposited', data: { amount: 1 } }]
  const full: NewCommit = {
    id: `commit-${log.records.length}`,
    events,
    at: 1,
    nodeId: 'writer',
    ...commit,
  }
  const { headers, body } = encodeCommit(full)
  const last = commit.firstVersion + events.length - 1
  log.push(
    commit.actor,
    last,
    Object.fromEntries(headers),
    isWhole ? body : body.subarray(0, body.length - 3),
  )
}

/** A promise that is pending until the test releases it; `reached` resolves on the first wait. */
export function barrier() {
  const open = deferred<void>()
  const arrived = deferred<void>()
  return {
    reached: arrived.promise,
    letGo: () => open.resolve(),
    wait: () => {
      arrived.resolve()
      return open.promise
    },
  }
}

/** A seeded generator of random numbers (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
