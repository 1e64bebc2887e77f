// A watched actor: what all watchers of one actor on one node share.
//
// Owns the folded state of the actor, the latest commits with the states after their events, and the reads that keep them
// up to date. Each watcher owns only its place among the versions (watch.ts).
//
// WATCHED-ACTOR-1. One read for each commit, however many watch; one for several commits that come during a read. None
//     for a commit that this process appends: it is taken from memory, and while its append is under way nothing is read.
// WATCHED-ACTOR-2. A commit is held until every watcher has passed it, but no more than `stepsMax` events of each actor
//     and `stepsMaxOfAll` of all, and the last commit of each. A watcher that is further behind reads the log itself.
// WATCHED-ACTOR-3. A notice only says that there is something to read. One that was lost is made up for by the next one,
//     by `doubt`, and by the checks of the log's last position (watches.ts).
// WATCHED-ACTOR-4. A watcher begins at a version that was read after it came: what was stored before is not news to it.

import type { StoredCommit } from '../model/commit.js'
import { formatAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import { offAbort, onAbort } from '../model/on-abort.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { type FoldContext, type FoldedState, skipVersions } from './fold.js'
import { versionsUnread } from './parked.js'
import { rangeAfter, recover, recoverAt } from './recovery.js'
import type { Skips } from './skips.js'
import { foldSteps, skipRecord, type Step } from './watch-steps.js'

/** What the watched actors of a node share. */
export interface WatchPorts {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'lastPosition'>
  /** Runs a read of the store; a bounded number at a time. */
  readonly read: <T>(
    work: () => Promise<T>,
    signal: AbortSignal,
    doing: string,
  ) => Promise<T>
  /** How many events are held for watchers (WATCHED-ACTOR-2). */
  readonly held: { steps: number }
  /** Whether the store will never be reachable again. */
  readonly isLost: () => boolean
  readonly reads: { count: number }
}

/** A watcher's place: the last version that it has passed. */
export interface Place {
  version: Version
}

export type SkipsNow = (signal: AbortSignal) => Promise<Skips | undefined>

/** WATCHED-ACTOR-2. */
const stepsMax = 256
const stepsMaxOfAll = 16_384
/** Own commits that wait while a read is under way; with more, they are read. */
const ownMax = 64
/** The most reads that may not yet show a version that a notice has reported. */
const lagReads = 10
/** Milliseconds before reading again while the store is not reachable. */
const retryDelay = 1_000

interface Held<State> {
  readonly last: Version
  readonly steps: readonly Step<State>[]
}

export class WatchedActor<State = unknown> {
  readonly #ports: WatchPorts
  readonly #skipsNow: SkipsNow
  readonly #onEnd: () => void
  readonly #name: string
  readonly #places = new Set<Place>()
  /** Those that wait for the version at which they begin (WATCHED-ACTOR-4). */
  #beginning: { readonly place: Place; readonly begin: () => void }[] = []
  readonly #waiting = new Set<() => void>()
  readonly #ended = new AbortController()
  #context: FoldContext<State>
  #at: FoldedState<State> | undefined
  #held: Held<State>[] = []
  #heldSteps = 0
  /** Every version after this one, up to that of `#at`, is held or skipped. */
  #heldAfter: Version = 0
  #own: StoredCommit[] = []
  #appends = 0
  #reported: Version = 0
  #isDoubtful = false
  #isRunning = false
  #failure: { readonly error: unknown } | undefined

  /** @param onEnd called when nobody watches any more, or when it has failed */
  constructor(
    context: FoldContext<State>,
    skipsNow: SkipsNow,
    ports: WatchPorts,
    onEnd: () => void,
  ) {
    this.#context = context
    this.#skipsNow = skipsNow
    this.#ports = ports
    this.#onEnd = onEnd
    this.#name = formatAddress(context.actor)
  }

  /** A watcher comes. It must leave in any case. */
  join(place: Place): void {
    this.#places.add(place)
  }

  leave(place: Place): void {
    this.#places.delete(place)
    if (this.#places.size > 0) return
    this.#end()
    this.#release(this.#held.length)
  }

  get watchers(): number {
    return this.#places.size
  }

  /** The actor as it is after all that was stored before the call (WATCHED-ACTOR-4). Throws why it cannot be read. */
  async begin(
    place: Place,
    signal: AbortSignal | undefined,
  ): Promise<FoldedState<State> | undefined> {
    let hasBegun = false
    this.#beginning.push({ place, begin: () => (hasBegun = true) })
    this.#run()
    while (!hasBegun && this.#failure === undefined && signal?.aborted !== true)
      await this.changed(signal)
    if (!hasBegun) this.check()
    const at = this.#at
    return at?.version === place.version ? at : undefined
  }

  /** The next event after a version; the last one if only that is wanted. `'behind'` if it is no longer held. */
  after(version: Version, isLastWanted: boolean): Step<State> | 'behind' | undefined {
    const at = this.#at
    if (at === undefined || at.version <= version) return undefined
    const last = this.#held.at(-1)?.steps.at(-1)
    if (isLastWanted && last !== undefined && last.folded.version > version) return last
    if (version < this.#heldAfter) return 'behind'
    for (const { last: lastVersion, steps } of this.#held)
      if (lastVersion > version)
        for (const step of steps) if (step.folded.version > version) return step
    return undefined
  }

  /** Throws the error that ended it. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Resolves when there may be something new, or when the signal fires. */
  changed(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true || this.#failure !== undefined) return Promise.resolve()
    return new Promise(resolve => {
      const wake = () => {
        this.#waiting.delete(wake)
        offAbort(signal, wake)
        resolve()
      }
      this.#waiting.add(wake)
      onAbort(signal, wake)
    })
  }

  /** A notice arrived. */
  onCommit(version: Version): void {
    if (version <= this.#reported) return
    this.#reported = version
    this.#run()
  }

  /** Notices may have been missed (WATCHED-ACTOR-3). */
  doubt(): void {
    this.#isDoubtful = true
    this.#run()
  }

  /** This process begins to append to the actor, and calls what is returned when it has ended. */
  appending(): (stored: StoredCommit | undefined) => void {
    this.#appends++
    return stored => {
      this.#appends--
      if (stored !== undefined && this.#own.length < ownMax) this.#own.push(stored)
      if (stored !== undefined)
        this.#reported = Math.max(this.#reported, stored.lastVersion)
      this.#run()
    }
  }

  /** Ends all watchers with an error, each after the events that are held for it. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#end()
    this.#wakeAll()
  }

  #end(): void {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    this.#onEnd()
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake()
  }

  #run(): void {
    if (this.#isRunning || this.#ended.signal.aborted) return
    this.#isRunning = true
    this.#catchUp().catch((error: unknown) => {
      if (!this.#ended.signal.aborted) this.fail(error)
    })
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#ended
    let lagging = 0
    while (!signal.aborted) {
      const before = this.#at
      if (before !== undefined && this.#takeOwn(before)) {
        await this.#foldOwn(before)
        continue
      }
      const isBehind = before !== undefined && this.#reported > before.version
      const isAsked = this.#beginning.length > 0 || this.#isDoubtful
      // WATCHED-ACTOR-1.
      if (!isAsked && (!isBehind || this.#appends > 0)) {
        // Here, and not when the promise is settled: what comes in between must not be lost.
        this.#isRunning = false
        return
      }
      const at = await this.#readOn()
      if (at === undefined) {
        await pause(retryDelay, signal)
        continue
      }
      lagging = this.#reported > at.version && at === before ? lagging + 1 : 0
      if (lagging < lagReads) {
        if (lagging > 0) await pause(lagging * 20, signal)
        continue
      }
      // Nobody has stored it: a forged notice, or the log was restored.
      this.#reported = at.version
      lagging = 0
    }
  }

  /** Whether the next commit is one of this process. Those that were read meanwhile are dropped. */
  #takeOwn({ version }: FoldedState<State>): boolean {
    while (this.#own.length > 0 && this.#own[0]!.lastVersion <= version) this.#own.shift()
    const isNext = this.#own[0]?.firstVersion === version + 1
    if (!isNext) this.#own.length = 0
    return isNext
  }

  async #foldOwn(before: FoldedState<State>): Promise<void> {
    const at = await this.#withSkips(before)
    const commit = this.#own.shift()
    if (commit?.firstVersion === at.version + 1) this.#fold(at, commit)
  }

  /** Reads what is missing, and tells who waits at which version they begin; `undefined` if the store is away. */
  async #readOn(): Promise<FoldedState<State> | undefined> {
    const { signal } = this.#ended
    const { read, isLost } = this.#ports
    const beginning = this.#beginning
    const wasDoubtful = this.#isDoubtful
    this.#beginning = []
    this.#isDoubtful = false
    try {
      const work = () => this.#readOnce(beginning.map(({ place }) => place))
      const at = await read(work, signal, `reading what is new of ${this.#name}`)
      for (const { begin } of beginning) begin()
      this.#wakeAll()
      return at
    } catch (error) {
      // Before the first state is read, the error is that of whoever waits for it.
      const isAway = isCairnError(error, 'store-unreachable') && !isLost()
      if (this.#at === undefined || !isAway) throw error
      this.#beginning.unshift(...beginning)
      this.#isDoubtful ||= wasDoubtful
      return undefined
    }
  }

  async #readOnce(places: readonly Place[]): Promise<FoldedState<State>> {
    const { store, reads } = this.#ports
    const { signal } = this.#ended
    reads.count++
    if (this.#at === undefined) {
      const skips = await this.#skipsNow(signal)
      this.#context = { ...this.#context, skips }
      const at = await recover(store, this.#context, signal)
      this.#at = at
      this.#heldAfter = at.version
      for (const place of places) place.version = Math.max(place.version, at.version)
      return at
    }
    let at = await this.#withSkips(this.#at)
    const { version, last } = await store.head(this.#context.actor, { signal })
    for (const place of places) place.version = Math.max(place.version, version)
    if (last?.kind === 'malformed' && last.versions === undefined)
      this.#context.onMalformed?.(last)
    if (version <= at.version) return at
    if (last?.kind === 'commit' && last.firstVersion <= at.version + 1)
      return this.#fold(at, last)
    reads.count++
    const { actor } = this.#context
    for await (const record of store.commits(actor, rangeAfter(at, signal))) {
      if (record.kind === 'malformed')
        this.#at = at = skipRecord(this.#context, at, record)
      else {
        const { firstVersion, position } = record
        const start = skipVersions(this.#context, at, firstVersion - 1, at.position) ?? at
        if (firstVersion > start.version + 1)
          throw versionsUnread(actor, start.version + 1, firstVersion, position)
        at = this.#fold(start, record)
      }
      // A turn for the watchers that keep up, so that they need not read the log themselves.
      if (this.#heldSteps > stepsMax / 2) await pause(0)
    }
    return at
  }

  /** States that were given out do not change; later ones are folded with the skips of now. */
  async #withSkips(at: FoldedState<State>): Promise<FoldedState<State>> {
    const skips = await this.#skipsNow(this.#ended.signal)
    if (skips === this.#context.skips) return at
    this.#context = { ...this.#context, skips }
    const { store } = this.#ports
    this.#at = await recoverAt(store, this.#context, at.version, this.#ended.signal)
    return this.#at
  }

  #fold(start: FoldedState<State>, commit: StoredCommit): FoldedState<State> {
    const steps: Step<State>[] = []
    try {
      for (const step of foldSteps(this.#context, start, commit)) steps.push(step)
    } finally {
      this.#hold(steps)
    }
    return steps.at(-1)?.folded ?? start
  }

  /** WATCHED-ACTOR-2. */
  #hold(steps: readonly Step<State>[]): void {
    const at = steps.at(-1)?.folded
    if (at === undefined) return
    this.#at = at
    const { held } = this.#ports
    let passed = Infinity
    for (const { version } of this.#places) passed = Math.min(passed, version)
    const firstWanted = this.#held.findIndex(({ last }) => last > passed)
    this.#release(firstWanted < 0 ? this.#held.length : firstWanted)
    this.#held.push({ last: at.version, steps })
    this.#heldSteps += steps.length
    held.steps += steps.length
    const isTooMany = () => this.#heldSteps > stepsMax || held.steps > stepsMaxOfAll
    while (this.#held.length > 1 && isTooMany()) this.#release(1)
    this.#wakeAll()
  }

  /** Drops the oldest commits. */
  #release(count: number): void {
    for (const { last, steps } of this.#held.splice(0, count)) {
      this.#heldAfter = last
      this.#heldSteps -= steps.length
      this.#ports.held.steps -= steps.length
    }
  }
}
