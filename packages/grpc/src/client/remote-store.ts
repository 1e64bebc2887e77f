// An event store behind a door: the port of src/store over the contract.
//
// Owns the version cache of this process. What can be checked here is checked here, as every store does it.
// REMOTE-STORE-1. An append whose answer does not come is `outcome-unknown`: the door may have stored it.
// REMOTE-STORE-2. A read that ends early is an error, also when the store was closed meanwhile.

import { type Client, createClient, type Transport } from '@connectrpc/connect'
import { type ActorAddress, CairnError, formatAddress, isCairnError } from 'cairn-es'
import {
  type AppendAllOptions,
  type AppendAllResult,
  type AppendOptions,
  type AppendPart,
  type AppendResult,
  checkActorType,
  checkAddress,
  checkAppend,
  checkCommitsOptions,
  checkTransaction,
  checkTransactionBytes,
  type CommitsOptions,
  encodeCommit,
  encodedBytes,
  type Head,
  type LogRecord,
  type NewEvent,
  nextCommit,
  partCommit,
  StoreBase,
  type StoreOptions,
} from 'cairn-es/store'

import {
  countOf,
  defined,
  fromActor,
  fromExpected,
  fromRecord,
  toActor,
  toCauses,
  toExpected,
  toExtras,
  toNewEvent,
} from '../codec/records.js'
import { fromConnectError } from '../codec/problems.js'
import { type Appended, type Conflict, StoreService } from '../gen/cairn/v1/store_pb.js'

const appendTimeout = 10_000

export interface RemoteStoreOptions extends StoreOptions {
  readonly transport: Transport
}

export class RemoteStore extends StoreBase {
  readonly #client: Client<typeof StoreService>
  readonly #appending = new Set<Promise<unknown>>()
  #known = 0

  private constructor({ transport, ...options }: RemoteStoreOptions) {
    super(options)
    this.#client = createClient(StoreService, transport)
  }

  /** Throws `store-unreachable` or `unauthorized`. */
  static async open(options: RemoteStoreOptions): Promise<RemoteStore> {
    const store = new RemoteStore(options)
    await store.lastPosition()
    return store
  }

  async append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    this.assertOpen()
    const expected = checkAppend(actor, options)
    const before = this.cache.lookup(actor) ?? this.cache.snapshot(actor)
    // The checks of what is stored are those of its encoding.
    encodeCommit(nextCommit(this.nodeId, actor, 0, events, options))
    const request = {
      actor: toActor(actor),
      events: events.map(toNewEvent),
      expected: toExpected(expected),
      ...defined({ causes: toCauses(options), extras: toExtras(options) }),
    }
    const { result } = await this.#append(
      options,
      `appending to ${formatAddress(actor)}`,
      to => this.#client.append(request, to),
    )
    switch (result.case) {
      case 'appended': {
        const appended = appendedOf(result.value)
        this.#stored(appended.position)
        this.cache.refresh(actor, appended, before)
        return { ...appended, actor }
      }
      case 'conflict':
        // A conflict teaches the version, and with the position an append can rely on it.
        await this.head(actor)
        return conflictOf(result.value)
      case undefined:
        throw unknownAnswer('append')
    }
  }

  async appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    this.assertOpen()
    const transaction = checkTransaction(parts, options)
    const commits = transaction.parts.map(part =>
      encodeCommit(partCommit(this.nodeId, part, 0, transaction)),
    )
    checkTransactionBytes(commits.map(encodedBytes))
    const { id: transactionId, guards } = transaction
    const { at } = options
    const request = {
      parts: transaction.parts.map(({ actor, events, expected, ...rest }) => ({
        actor: toActor(actor),
        events: events.map(toNewEvent),
        expected: toExpected(expected),
        ...defined({ extras: toExtras(rest) }),
      })),
      guards: guards.map(({ actor, version }) => ({
        actor: toActor(actor),
        version: BigInt(version),
      })),
      transactionId,
      ...defined({
        causes: toCauses(options),
        atMs: at === undefined ? undefined : BigInt(Math.round(at)),
      }),
    }
    const response = await this.#append(options, 'committing a transaction', to =>
      this.#client.appendAll(request, to),
    )
    if (response.conflicts.length > 0) {
      const conflicts = response.conflicts.map(conflictOf)
      for (const { actor } of conflicts) await this.head(actor)
      return { ok: false, conflicts }
    }
    const appended = response.appended.map(appendedOf)
    for (const { actor, version, position } of appended) {
      this.#stored(position)
      this.cache.advance(actor, version, position)
    }
    return { ok: true, transactionId: response.transactionId, appended }
  }

  async head(actor: ActorAddress, options: { signal?: AbortSignal } = {}): Promise<Head> {
    this.assertOpen()
    checkAddress(actor)
    const before = this.cache.snapshot(actor)
    const doing = `reading the head of ${formatAddress(actor)}`
    const response = await this.#call(options.signal, doing, to =>
      this.#client.head({ actor: toActor(actor) }, to),
    )
    const version = countOf(response.version)
    const position = countOf(response.position)
    this.#stored(position)
    this.cache.refresh(actor, { version, position }, before)
    return response.last === undefined
      ? { version, position }
      : { version, position, last: fromRecord(response.last) }
  }

  async *commits(
    actor: ActorAddress,
    options: CommitsOptions = {},
  ): AsyncGenerator<LogRecord> {
    this.assertOpen()
    checkAddress(actor)
    checkCommitsOptions(options)
    const { from, to, hint, backwards = false, signal } = options
    const request = {
      actor: toActor(actor),
      backwards,
      ...defined({ from: big(from), to: big(to), hint: big(hint) }),
    }
    const reading = (until: AbortSignal) =>
      this.#client.commits(request, { signal: until })
    const doing = `reading ${formatAddress(actor)}`
    for await (const { record } of this.#reading(reading, signal, doing))
      yield fromRecord(record)
  }

  async *actors(
    options: { type?: string; signal?: AbortSignal } = {},
  ): AsyncGenerator<ActorAddress> {
    this.assertOpen()
    const { type, signal } = options
    if (type !== undefined) checkActorType(type)
    const reading = (until: AbortSignal) =>
      this.#client.listActors(defined({ type }), { signal: until })
    for await (const { actor } of this.#reading(reading, signal, 'listing actors'))
      yield fromActor(actor)
  }

  async lastPosition(options: { signal?: AbortSignal } = {}): Promise<number> {
    this.assertOpen()
    const { position } = await this.#call(
      options.signal,
      'reading the last position',
      to => this.#client.lastPosition({}, to),
    )
    return this.#stored(countOf(position))
  }

  knownPosition(): number {
    return this.#known
  }

  protected async *scan(
    after: number,
    types: readonly string[] | undefined,
    signal: AbortSignal,
    limit?: number,
  ): AsyncGenerator<LogRecord, number> {
    const request = {
      after: BigInt(after),
      types: [...(types ?? [])],
      ...defined({ limit: Number.isFinite(limit) ? big(limit) : undefined }),
    }
    let position = after
    // No type is wanted: no record is.
    if (types?.length === 0) return position
    try {
      for await (const { record } of this.#client.readAll(request, { signal })) {
        const read = fromRecord(record)
        yield read
        position = this.#stored(read.position)
      }
    } catch (error) {
      if (!signal.aborted) throw fromConnectError(error)
    }
    return position
  }

  protected async waitBeyond(after: number, signal: AbortSignal): Promise<void> {
    const until = new AbortController()
    const following = AbortSignal.any([signal, until.signal])
    try {
      const records = this.#client.follow({ after: BigInt(after) }, { signal: following })
      for await (const { record } of records) if (record !== undefined) return
    } catch (error) {
      const known = fromConnectError(error)
      if (!signal.aborted && !isCairnError(known, 'store-unreachable')) throw known
    } finally {
      until.abort()
    }
  }

  override async close(): Promise<void> {
    await super.close()
    await Promise.allSettled(this.#appending)
  }

  async #call<T>(
    signal: AbortSignal | undefined,
    doing: string,
    call: (to: { signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal, doing)
    try {
      return await call({ signal: this.#orClosing(signal) })
    } catch (error) {
      throw this.#explained(error, signal, doing)
    }
  }

  /** The error of a call that was ended from here is that of its signal, or of closing. */
  #explained(error: unknown, signal: AbortSignal | undefined, doing: string): unknown {
    try {
      throwIfAborted(signal, doing)
      this.assertOpen()
    } catch (reason) {
      return reason
    }
    return fromConnectError(error)
  }

  #orClosing(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.closing : AbortSignal.any([signal, this.closing])
  }

  /** REMOTE-STORE-1. */
  async #append<T>(
    { signal, timeout = appendTimeout }: Pick<AppendOptions, 'signal' | 'timeout'>,
    doing: string,
    call: (to: { timeoutMs: number; signal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const calling = call({ timeoutMs: timeout, ...defined({ signal }) })
    this.#appending.add(calling)
    try {
      return await calling
    } catch (error) {
      const known = fromConnectError(error)
      if (!isUnanswered(known)) throw known
      throw new CairnError(
        'outcome-unknown',
        `Whether ${doing} succeeded is not known: the door did not answer. Read the head before you append again.`,
        { cause: known },
      )
    } finally {
      this.#appending.delete(calling)
    }
  }

  /** REMOTE-STORE-2. */
  async *#reading<T>(
    read: (until: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal | undefined,
    doing: string,
  ): AsyncGenerator<T> {
    throwIfAborted(signal, doing)
    try {
      for await (const one of read(this.#orClosing(signal))) {
        // The stream may still hold what had arrived before the signal: nothing of it is handed out.
        throwIfAborted(signal, doing)
        yield one
      }
    } catch (error) {
      throw this.#explained(error, signal, doing)
    }
    throwIfAborted(signal, doing)
    this.assertOpen()
  }

  #stored(position: number): number {
    this.#known = Math.max(this.#known, position)
    return position
  }
}

function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted !== true) return
  throw new CairnError('aborted', `The signal was aborted while ${doing}.`, {
    cause: signal.reason,
  })
}

/** Errors of the way, after which the door may have done what it was asked. */
function isUnanswered(error: unknown): boolean {
  return (
    isCairnError(error, 'aborted') ||
    isCairnError(error, 'deadline-exceeded') ||
    isCairnError(error, 'store-unreachable')
  )
}

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(value)
}

function appendedOf({ actor, firstVersion, version, position, commitId }: Appended) {
  return {
    ok: true,
    actor: fromActor(actor),
    firstVersion: countOf(firstVersion),
    version: countOf(version),
    position: countOf(position),
    commitId,
  } as const
}

function conflictOf({ actor, expected, actual }: Conflict) {
  return {
    ok: false,
    actor: fromActor(actor),
    expected: fromExpected(expected),
    actual: countOf(actual),
  } as const
}

function unknownAnswer(call: string): CairnError {
  return new CairnError(
    'remote-failure',
    `The door answered ${call} with something that this client does not know: upgrade the client.`,
  )
}
