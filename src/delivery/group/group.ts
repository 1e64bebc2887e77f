// A group: readers of one source on any number of nodes, of which each record is handled by
// one. This is one node's part in it.
//
// The source is divided into lanes; which node reads a lane is the claim of placement, and who
// writes its document is the judge: see lane.ts.
//
// G1. A lane is taken when it is this node's by placement, and its owner before has let go of
//     it, is gone, or has not let go for `handoverTimeout`.
// G2. A lane that is another's by placement now takes nothing more, finishes, and is let go.
// G3. At most `openMax` records are open at a time; the source is not read any further then.
// G4. Nothing is handled after `stop` has resolved, and that is in time, whatever hangs.
// G5. Where a source ends before a lane's floor, it is not the source of then (it was restored, or
//     made anew): the lane begins anew with it.
// G6. Lanes that come or go within moments cost one reading on together, not one each.

import { setMaxListeners } from 'node:events'

import type { DocumentKey, Documents } from '../../store/documents/documents.js'
import type { Clock } from '../../model/clock.js'
import { isCairnError } from '../../model/errors.js'
import { pause } from '../../model/wait.js'
import { type Backoff, backoffDefault } from '../backoff.js'
import { SerialExecutor } from './serial-executor.js'
import {
  type Handle,
  PartitionProcessor,
  type PartitionCounters,
  type PartitionProcessorOptions,
  reachStride,
  suspiciousDeaths,
} from './partition-processor.js'
import {
  decodePartitionState,
  encodePartitionState,
  initialPartitionState,
} from './partition-state.js'
import type { PartitionOwner } from './partition-state.js'
import type { GroupSource } from './source.js'

/** What placement says of lanes. */
export interface PartitionClaims {
  /** Whether the lane is this node's in its own view. */
  isOurs(lane: number): boolean
  /** Whether a node that has taken a lane still takes part. */
  isAlive(owner: PartitionOwner): boolean | Promise<boolean>
  /** Calls back whenever one of the two may have changed; the returned function ends that. */
  onChange(listener: () => void): () => void
}

export interface GroupOptions<T> {
  readonly name: string
  /** What its documents' names begin with. Default: its name. */
  readonly path?: DocumentKey
  readonly source: GroupSource<T>
  readonly handle: Handle<T>
  readonly documents: Documents
  readonly claims: PartitionClaims
  readonly self: PartitionOwner
  readonly clock: Clock
  readonly log: PartitionProcessorOptions<T>['log']
  readonly backoff?: Backoff
  /** G3. Default 1,000. */
  readonly openMax?: number
  /** Of these, for one key. Default 256. */
  readonly keyQueueMax?: number
  /** Shared by the groups of a node. Default: one of its own. */
  readonly serialExecutor?: SerialExecutor
}

export interface GroupStats {
  /** Lanes that this node reads. */
  readonly partitions: number
  /** Records being handled, or waiting for one of the same key. */
  readonly open: number
  /** Keys that are held back because a record of theirs failed. */
  readonly failing: number
  /** Since the start: */
  readonly handled: number
  readonly failures: number
}

/** Of a group that a node takes no part in. */
export const noGroup: GroupStats = {
  partitions: 0,
  open: 0,
  failing: 0,
  handled: 0,
  failures: 0,
}

/** Milliseconds that a living owner is given to let go of a lane. */
const handoverTimeout = 10_000
const handoverLook = 50
const troublePause = 500
/** G6. Milliseconds. */
const changesTogether = 50

export class Group<T> {
  readonly #options: GroupOptions<T>
  readonly #partitions = new Map<number, PartitionProcessor<T>>()
  readonly #changing = new Map<number, Promise<void>>()
  readonly #counters: PartitionCounters = { handled: 0, failures: 0 }
  readonly #stopping = new AbortController()
  readonly #waiters = new Set<() => void>()
  readonly #serialExecutor: SerialExecutor
  /** What is read again for keys that were held. */
  #entered = 0
  #round = new AbortController()
  /** G6. */
  #changedSoon: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isOver = false
  #stopped: Promise<void> | undefined

  constructor(options: GroupOptions<T>) {
    this.#options = options
    this.#serialExecutor = options.serialExecutor ?? new SerialExecutor()
    // Each lane waits on it, as many as there are; each wait ends by itself.
    setMaxListeners(0, this.#stopping.signal)
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Finishes what is being handled, for at most `timeout` ms, and lets go of every lane (G4). */
  stop(timeout: number): Promise<void> {
    this.#stopped ??= this.#stop(timeout)
    return this.#stopped
  }

  stats(): GroupStats {
    let failing = 0
    for (const lane of this.#partitions.values()) {
      failing += lane.failing
    }
    return {
      partitions: this.#partitions.size,
      open: this.#openCount(),
      failing,
      ...this.#counters,
    }
  }

  /** G4. A part of the time is kept for writing down where the lanes stand. */
  async #stop(timeout: number): Promise<void> {
    this.#stopping.abort()
    this.#round.abort()
    this.#wakeWaiters()
    const inTime = new AbortController()
    const released = this.#releaseAll(timeout * 0.75).then(() => inTime.abort())
    await Promise.race([released, pause(timeout, inTime.signal)])
    this.#isOver = true
    for (const lane of this.#partitions.values()) lane.abandon()
    this.#partitions.clear()
  }

  /** Never rejects. */
  async #releaseAll(timeout: number): Promise<void> {
    // What is held already need not wait for what is being taken.
    const release = () =>
      [...this.#partitions.values()].map(lane => lane.release(timeout))
    await Promise.all([this.#running, ...this.#changing.values(), ...release()])
    await Promise.all(release())
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { claims, log, name } = this.#options
    const stopListening = claims.onChange(() => this.#round.abort())
    while (!this.#stopping.signal.aborted) {
      clearTimeout(this.#changedSoon)
      this.#changedSoon = undefined
      this.#round = new AbortController()
      setMaxListeners(0, this.#round.signal)
      this.#adjust()
      try {
        const round = this.#round.signal
        await this.#feed(round)
        // A source that ends by itself is closed, or about to be.
        if (!round.aborted) await pause(troublePause, this.#stopping.signal)
      } catch (error) {
        if (this.#stopping.signal.aborted || isCairnError(error, 'store-closed')) break
        if (this.#round.signal.aborted) continue
        log('warn', `Group ${name} could not read on; it tries again`, { err: error })
        await pause(troublePause, this.#stopping.signal)
      }
    }
    stopListening()
    clearTimeout(this.#changedSoon)
  }

  /** G1 and G2, each in its own time. */
  #adjust(): void {
    const { claims, source } = this.#options
    for (let lane = 0; lane < source.partitions; lane++) {
      const isHeld = this.#partitions.has(lane)
      if (claims.isOurs(lane) === isHeld || this.#changing.has(lane)) continue
      const change = isHeld ? this.#letGo(lane) : this.#take(lane)
      const settled = change.then(
        () => {},
        (error: unknown) => this.#troubled(lane, error),
      )
      this.#changing.set(lane, settled)
      void settled.then(() => {
        this.#changing.delete(lane)
        this.#changed()
      })
    }
  }

  /** G6. A lane that waits for its owner before holds up no other. */
  #changed(): void {
    if (this.#changing.size === 0) return this.#round.abort()
    this.#changedSoon ??= setTimeout(() => this.#round.abort(), changesTogether)
  }

  async #troubled(lane: number, error: unknown): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { name, log } = this.#options
    log('warn', `Lane ${lane} of group ${name} could not be taken; it tries again`, {
      err: error,
    })
    await pause(troublePause, this.#stopping.signal)
  }

  async #letGo(lane: number): Promise<void> {
    await this.#partitions.get(lane)?.release(handoverTimeout)
    this.#partitions.delete(lane)
    this.#wakeWaiters()
  }

  /** G1. */
  async #take(lane: number): Promise<void> {
    const { name, documents, claims, self, source } = this.#options
    const { path = [name] } = this.#options
    const key = [...path, String(lane)]
    const patience = performance.now() + handoverTimeout
    const { signal } = this.#stopping
    while (!signal.aborted && claims.isOurs(lane)) {
      const found = await documents.get(key)
      const state =
        found === undefined
          ? initialPartitionState
          : decodePartitionState(found.value, key.join('.'))
      const { owner, floor } = state
      const isOthers = owner !== undefined && !isSame(owner, self)
      const isTaken = isOthers && (await claims.isAlive(owner))
      if (isTaken && performance.now() < patience) {
        await pause(handoverLook, signal)
        continue
      }
      const epoch = state.epoch + 1
      // L8: whoever let go, or is this node itself, has not died here.
      const deaths = isOthers ? (state.deaths ?? 0) + 1 : 0
      const end = await source.lastPosition(signal)
      const reach = Math.max(state.reach ?? 0, end, floor) + reachStride
      const failing = state.failing.map(({ deaths: before = 0, ...one }) =>
        deaths === 0 ? one : { ...one, deaths: before + 1 },
      )
      const { deaths: _, ...rest } = state
      const bytes = encodePartitionState({
        ...rest,
        failing,
        owner: self,
        epoch,
        reach,
        ...(deaths > 0 && { deaths }),
      })
      const revision = await documents.put(key, bytes, found?.revision ?? 0)
      if (revision === 'conflict') continue
      const last = await source.lastPosition(signal)
      if (this.#isOver) return
      const isAnew = last < floor // G5
      if (isAnew)
        this.#options.log('warn', `Lane ${lane} of group ${name} begins anew`, {
          floor,
          lastPosition: last,
        })
      const repeatsUpTo = isAnew ? last : (state.reach ?? last)
      const isSuspicious = deaths >= suspiciousDeaths && !isAnew
      if (isSuspicious)
        this.#options.log(
          'warn',
          `Lane ${lane} of group ${name} has lost ${deaths} nodes at one place, and goes on record by record`,
          { floor, failing: failing.length },
        )
      const { handle, clock, log, backoff = backoffDefault } = this.#options
      const { keyQueueMax } = this.#options
      const taken = new PartitionProcessor<T>({
        document: key,
        taken: { revision, epoch, reach, deaths },
        owner: self,
        floor: isAnew ? 0 : floor,
        failing: isAnew ? [] : failing,
        repeatsUpTo,
        // What is not there yet was not begun by who has died.
        suspectsUpTo: isSuspicious ? Math.min(repeatsUpTo, last) : 0,
        serialExecutor: this.#serialExecutor,
        source,
        handle,
        documents,
        clock,
        backoff,
        counters: this.#counters,
        ...(keyQueueMax !== undefined && { keyQueueMax }),
        log,
        onLost: () => this.#lost(lane, taken),
        onSettled: () => this.#wakeWaiters(),
        enter: signal => this.#enter(signal),
      })
      this.#partitions.set(lane, taken)
      return
    }
  }

  #lost(lane: number, lost: PartitionProcessor<T>): void {
    const { log, name } = this.#options
    log('info', `Lane ${lane} of group ${name} is read by another node now`, {})
    if (this.#partitions.get(lane) === lost) this.#partitions.delete(lane)
    this.#wakeWaiters()
    this.#round.abort()
  }

  /** Reads on behind the lane that is furthest back, until the signal fires. */
  async #feed(round: AbortSignal): Promise<void> {
    const { source } = this.#options
    const lanes = [...this.#partitions]
    if (lanes.length === 0) return waitFor(round)
    const after = Math.min(...lanes.map(([, lane]) => lane.position))
    for await (const record of source.follow(after, round)) {
      while (!this.#hasRoom && !round.aborted) await this.#settling(round)
      if (round.aborted) return
      for (const [number, lane] of lanes)
        if (number === record.partition) lane.offer(record)
        else lane.passed(record.position)
    }
  }

  /** G3. For what is not read with the rest; `undefined` when the signal fires before its turn. */
  async #enter(signal: AbortSignal): Promise<(() => void) | undefined> {
    while (!this.#hasRoom && !signal.aborted) await this.#settling(signal)
    if (signal.aborted) return undefined
    this.#entered++
    return () => {
      this.#entered--
      this.#wakeWaiters()
    }
  }

  /** G3. */
  get #hasRoom(): boolean {
    const { openMax = 1_000 } = this.#options
    return this.#openCount() < openMax
  }

  /** Resolves when something is not open any more, or the signal fires. */
  #settling(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        signal.removeEventListener('abort', wake)
        this.#waiters.delete(wake)
        resolve()
      }
      this.#waiters.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  #openCount(): number {
    let open = this.#entered
    for (const lane of this.#partitions.values()) open += lane.open
    return open
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters) wake()
  }
}

function isSame(one: PartitionOwner, other: PartitionOwner): boolean {
  return one.id === other.id && one.incarnation === other.incarnation
}

function waitFor(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
