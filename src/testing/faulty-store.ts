// A store whose appends come late, or of which nobody knows what became.

import type { ActorAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import type { NewEvent } from '../model/event.js'
import type { Position, Version } from '../model/version.js'
import { throwIfAborted } from '../model/wait.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendOptions,
  AppendPart,
  AppendResult,
  CommitsOptions,
  EventStore,
  FollowOptions,
  ReadAllOptions,
  ReadOptions,
} from '../store/event-store/event-store.js'
import type { CachedHead, Predecessor } from '../store/version-cache.js'
import type { Faults } from './faults.js'
import { type Line, turn } from './line.js'

/** What becomes of an append that ends in `outcome-unknown`. */
const fates = ['stored', 'never', 'late'] as const

export class FaultyStore implements EventStore {
  readonly namespace: string
  protected readonly base: EventStore
  readonly #faults: Faults
  readonly #line: Line
  readonly #arrivals = new Set<Promise<void>>()

  constructor(base: EventStore, faults: Faults, line: Line) {
    this.namespace = base.namespace
    this.base = base
    this.#faults = faults
    this.#line = line
  }

  append(
    actor: ActorAddress,
    events: readonly NewEvent[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const append = (bounds: AppendOptions) => this.base.append(actor, events, bounds)
    const name = nameOf(actor)
    return this.#up(name, this.#faulty(append, name, options))
  }

  appendAll(
    parts: readonly AppendPart[],
    options: AppendAllOptions = {},
  ): Promise<AppendAllResult> {
    const append = (bounds: AppendAllOptions) => this.base.appendAll(parts, bounds)
    const name = nameOf(...parts.map(part => part.actor))
    return this.#up(name, this.#faulty(append, name, options))
  }

  #up<T>(name: string, work: Promise<T>): Promise<T> {
    this.#line.underWay(work)
    return this.#line.up(`append to ${name} is answered`, work)
  }

  async #faulty<T, Options extends { readonly signal?: AbortSignal }>(
    append: (options: Options) => Promise<T>,
    name: string,
    options: Options,
  ): Promise<T> {
    const faults = this.#faults
    const { nodeId } = this.#line
    this.#line.check()
    const arrival = this.#line.moment(`append to ${name} arrives`)
    if (arrival !== undefined) {
      this.#arrivals.add(arrival)
      await arrival
      this.#arrivals.delete(arrival)
    }
    if (faults.happens('delayAppends', nodeId)) {
      faults.count('appendsDelayed')
      const isOver = () => this.#line.isDown || options.signal?.aborted === true
      await turn(faults.turns(nodeId), isOver)
      // On its way when the node crashed: it arrives, or it does not.
      if (this.#line.isDown && faults.draw('crash', nodeId) < 0.5) this.#line.check()
      throwIfAborted(options.signal, `appending to ${name}`)
    }
    if (!faults.happens('failAppends', nodeId)) return append(options)

    faults.count('appendsFailed')
    const fate = fates[Math.floor(faults.draw('fate', nodeId) * fates.length)]
    if (fate === 'stored') await append(options)
    if (fate === 'late') {
      // Whoever waited has given up; what is on its way does not know that.
      const { signal: _signal, ...rest } = options
      const arrive = async () => {
        await turn(faults.turns(nodeId))
        await append(rest as Options)
      }
      this.#line.underWay(arrive())
    }
    throw new CairnError(
      'outcome-unknown',
      `Nobody answered the append to ${name} (a fault of the test). Whether it ` +
        'was stored is not known: read the actor.',
    )
  }

  head(actor: ActorAddress, options?: { signal?: AbortSignal }) {
    return this.#line.up(
      `head of ${nameOf(actor)} is read`,
      this.base.head(actor, options),
    )
  }

  read(actor: ActorAddress, options?: ReadOptions) {
    return this.#line.each(
      `event of ${nameOf(actor)} is read`,
      this.base.read(actor, options),
    )
  }

  commits(actor: ActorAddress, options?: CommitsOptions) {
    return this.#line.each(
      `commit of ${nameOf(actor)} is read`,
      this.base.commits(actor, options),
    )
  }

  readAll(options?: ReadAllOptions) {
    return this.#line.each('record is read', this.base.readAll(options))
  }

  follow(options?: FollowOptions) {
    return this.#line.each('record follows', this.base.follow(options))
  }

  actors(options?: { type?: string; signal?: AbortSignal }) {
    return this.#line.each('actor is listed', this.base.actors(options))
  }

  lastPosition(options?: { signal?: AbortSignal }) {
    return this.#line.up('last position is read', this.base.lastPosition(options))
  }

  knownPosition() {
    return this.base.knownPosition()
  }

  updateVersionCache(
    actor: ActorAddress,
    version: Version,
    position: Position,
    predecessor?: Predecessor,
  ): boolean {
    return this.base.updateVersionCache(actor, version, position, predecessor)
  }

  cachedVersion(actor: ActorAddress): Version | undefined {
    return this.base.cachedVersion(actor)
  }

  cachedHead(actor: ActorAddress): CachedHead | undefined {
    return this.base.cachedHead(actor)
  }

  markCacheUnverified(): void {
    this.base.markCacheUnverified()
  }

  cacheStats() {
    return this.base.cacheStats()
  }

  async close(): Promise<void> {
    // What has been called before is completed, though it arrives later.
    await Promise.all(this.#arrivals)
    await this.base.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** What is asked for may be no address at all, which the base refuses. */
function nameOf(...actors: readonly (ActorAddress | undefined)[]): string {
  return actors.map(actor => `${actor?.type}/${actor?.id}`).join(', ')
}
