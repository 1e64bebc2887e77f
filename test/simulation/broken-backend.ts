// Backends that break a promise on purpose: what the simulation is for must be found by it.

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

/** `memory()`, with a store or a bus of another making. */
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
      const { queues, documents, timers, readModels, partitions } = await side.open({
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
        partitions,
        join: async self => new MemoryMembership(table, self),
      })
    },
  }
}

/** Writes behind the version that the writer expects, whatever is there by now: history forks. */
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

/** Writes at the end, whatever the writer expects: versions are whole, and decisions are not. */
class CarelessStore extends MemoryStore {
  override append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    // The state goes with the expectation: without the one, the other may not be carried.
    const { expected: _expected, state: _state, ...rest } = options
    return super.append(actor, events, rest)
  }
}

/** Says that it has stored what it has not, now and then. */
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

/** Shows actors their history without the commands in it: they cannot know a repeat. */
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

/** Every third notice says one version too many. */
function exaggerating(bus: NoticeBus): NoticeBus {
  let notices = 0
  return {
    close: () => bus.close(),
    subscribeToEventStored: (...args) => bus.subscribeToEventStored(...args),
    subscribeAcrossNamespaces: (...args) => bus.subscribeAcrossNamespaces(...args),
    subscribeToCommits: (namespace, handler, options) =>
      bus.subscribeToCommits(
        namespace,
        notice => {
          const { header } = notice
          const lastVersion = header.lastVersion + (++notices % 3 === 0 ? 1 : 0)
          handler({ ...notice, header: { ...header, lastVersion } })
        },
        options,
      ),
  }
}

export const broken: Readonly<Record<string, { make: () => Backend; breaks: RegExp }>> = {
  'a store that writes behind the expected version, whatever is there': {
    make: () => backendOf({ store: options => new ForkingStore(options) }),
    breaks: /P1: .* goes from version \d+ to \d+/,
  },
  'a store that ignores the expected version': {
    make: () => backendOf({ store: options => new CarelessStore(options) }),
    breaks: /P[23]: /,
  },
  'a store that acknowledges what it does not store': {
    make: () => backendOf({ store: options => new ForgetfulStore(options) }),
    breaks: /P3: .* was told version/,
  },
  'a store that stores half a commit': {
    make: () => backendOf({ store: options => new TearingStore(options) }),
    breaks: /P[235]: /,
  },
  'actors that cannot find a command sent again': {
    make: () => backendOf({ store: options => new NamelessStore(options) }),
    breaks: /P4: .* took effect twice/,
  },
  'notices that say what is not so': {
    make: () => backendOf({ bus: exaggerating }),
    breaks: /P5: node n\d believes/,
  },
}
