// Backends that break a promise on purpose. The simulation must detect each of them.

import type { Backend } from '../../src/index.js'
import { toOpenNamespace } from '../../src/backend/backend.js'
import { memory } from '../../src/backend/memory.js'
import { LocalBus } from '../../src/bus/local.js'
import { MemoryTransport } from '../../src/cluster/memory.js'
import { MemoryMembers, MemoryMembership } from '../../src/cluster/memory-membership.js'
import { encodeCommit } from '../../src/codec/envelope.js'
import type { ActorAddress } from '../../src/model/address.js'
import type { LogRecord } from '../../src/model/commit.js'
import type { NewEvent } from '../../src/model/event.js'
import type { NoticeBus } from '../../src/bus/bus.js'
import type { CommitStored } from '../../src/bus/notice.js'
import { appended, nextCommit } from '../../src/store/event-store/append.js'
import {
  MemoryLog,
  MemoryStore,
  type MemoryStoreOptions,
} from '../../src/store/event-store/memory.js'
import type {
  AppendOptions,
  AppendResult,
  CommitsOptions,
  Head,
} from '../../src/store/event-store/event-store.js'

/** `memory()` with another store or bus. */
export function backendOf(parts: {
  readonly store?: (options: MemoryStoreOptions) => MemoryStore
  readonly bus?: (bus: NoticeBus) => NoticeBus
}): Backend {
  const { store: make = options => new MemoryStore(options), bus: wrap = bus => bus } =
    parts
  const side = memory()
  const log = new MemoryLog()
  const network: ConstructorParameters<typeof MemoryTransport>[0] = new Set()
  const table = new MemoryMembers()
  return {
    kind: 'memory',
    async open({ namespace, nodeId }) {
      const { queues, documents, timers, readModels, partitions, damage } =
        await side.open({
          namespace,
          nodeId,
        })
      const store = make({ namespace, nodeId, log })
      const bus = new LocalBus({ open: async () => store, watch: async () => () => {} })
      return toOpenNamespace({
        store,
        bus: wrap(bus),
        transport: new MemoryTransport(network),
        queues,
        documents,
        readModels,
        timers,
        damage,
        partitions,
        join: async self => new MemoryMembership(table, self),
      })
    },
  }
}

/** Appends after the expected version, whatever the actual version is: the history forks. */
class ForkingStore extends MemoryStore {
  readonly #options: MemoryStoreOptions

  constructor(options: MemoryStoreOptions) {
    super(options)
    this.#options = options
  }

  override async append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const { expected } = options
    if (typeof expected !== 'number') return super.append(actor, events, options)
    const { nodeId, log } = this.#options
    const commit = nextCommit(nodeId, actor, expected, events, options)
    const { headers, body } = encodeCommit(commit)
    const last = expected + events.length
    return appended(commit, log.push(actor, last, Object.fromEntries(headers), body))
  }
}

/** Appends at the end, whatever version is expected: versions are dense, but decisions are wrong. */
class CarelessStore extends MemoryStore {
  override append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    // An inline state needs an expected version.
    const { expected: _expected, state: _state, ...rest } = options
    return super.append(actor, events, rest)
  }
}

/** Acknowledges every fifth append without storing it. */
class ForgetfulStore extends MemoryStore {
  #appends = 0

  override async append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    if (++this.#appends % 5 !== 0) return super.append(actor, events, options)
    const { version, position } = await this.head(actor)
    const commit = nextCommit('liar', actor, version, events, options)
    return appended(commit, position + 1)
  }
}

/** Stores a commit without its last event. */
class TearingStore extends MemoryStore {
  override append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    { state: _state, ...options }: AppendOptions = {},
  ): Promise<AppendResult> {
    return super.append(actor, events.length > 1 ? events.slice(0, -1) : events, options)
  }
}

/** Returns the history without command ids, so that actors cannot recognise a duplicate. */
class NamelessStore extends MemoryStore {
  override async head(
    actor: ActorAddress,
    options?: { signal?: AbortSignal },
  ): Promise<Head> {
    const head = await super.head(actor, options)
    return head.last === undefined ? head : { ...head, last: nameless(head.last) }
  }

  override async *commits(actor: ActorAddress, options?: CommitsOptions) {
    for await (const record of super.commits(actor, options)) yield nameless(record)
  }
}

function nameless(record: LogRecord): LogRecord {
  if (record.kind !== 'commit') return record
  const { command: _command, ...rest } = record
  return rest
}

/** A bus whose listeners hear of commits what `hear` makes of it. */
export function hearing(
  bus: NoticeBus,
  hear: (notice: CommitStored, handler: (notice: CommitStored) => void) => void,
): NoticeBus {
  return {
    close: () => bus.close(),
    subscribeToEventStored: (...args) => bus.subscribeToEventStored(...args),
    subscribeAcrossNamespaces: (...args) => bus.subscribeAcrossNamespaces(...args),
    subscribeToCommits: (namespace, handler, options) =>
      bus.subscribeToCommits(namespace, notice => hear(notice, handler), options),
  }
}

/** Every third notice reports a version that is too high by one. */
function exaggerating(bus: NoticeBus): NoticeBus {
  let notices = 0
  return hearing(bus, (notice, handler) => {
    const { header } = notice
    const lastVersion = header.lastVersion + (++notices % 3 === 0 ? 1 : 0)
    handler({ ...notice, header: { ...header, lastVersion } })
  })
}

export const broken: Readonly<Record<string, { make: () => Backend; breaks: RegExp }>> = {
  'a store that appends after the expected version, whatever the actual version is': {
    make: () => backendOf({ store: options => new ForkingStore(options) }),
    breaks: /P1: .* goes from version \d+ to \d+/,
  },
  'a store that ignores the expected version': {
    make: () => backendOf({ store: options => new CarelessStore(options) }),
    breaks: /P[23]: /,
  },
  'a store that acknowledges appends that it does not store': {
    make: () => backendOf({ store: options => new ForgetfulStore(options) }),
    breaks: /P3: .* was told version/,
  },
  'a store that stores half a commit': {
    make: () => backendOf({ store: options => new TearingStore(options) }),
    breaks: /P[235]: /,
  },
  'actors that do not recognise a command that is sent again': {
    make: () => backendOf({ store: options => new NamelessStore(options) }),
    breaks: /P4: .* took effect twice/,
  },
  'notices that report a wrong version': {
    make: () => backendOf({ bus: exaggerating }),
    breaks: /P5: node n\d believes/,
  },
}
