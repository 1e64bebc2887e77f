// A node's part in a projection: it decides whether this node builds it, and which builds run.
//
// RUNNER-1. One node builds a version of a projection, chosen by placement. Two nodes that both believe it do no
//     harm (BUILDER-1).
// RUNNER-2. A new build becomes live when it has reached the end of the log as read at most `freshFor` ms ago. Until
//     then the build before it is continued and read.
// RUNNER-3. `stop` resolves within its timeout, even when a write hangs. A write that finishes later is stored
//     whole or is a conflict.

import type { NoticeBus } from '../bus/bus.js'
import type { Documents } from '../store/documents/documents.js'
import type { StoredCommit } from '../model/commit.js'
import { isCairnError } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Position } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { PartitionAssignment } from '../delivery/group/claim-partition.js'
import { lagSince } from '../delivery/health.js'
import { logSource } from '../delivery/source/log-source.js'
import type { RecordSource, UnreadableRecord } from '../delivery/source/record-source.js'
import type { ReadModels } from '../store/read-models/read-models.js'
import { WakeSignal } from '../store/wake-signal.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { Builder, type StuckAt } from './builder.js'
import {
  type Build,
  type Builds,
  changeBuilds,
  modelOf,
  readBuilds,
  withLive,
  withNewBuild,
  without,
  withoutVersion,
  withoutWrong,
} from './builds.js'
import type { Projection } from './define-projection.js'
import { foldingOfEvents } from './fold-events.js'
import { foldingOfStates, type StatePorts } from './fold-states.js'
import type { Folding } from './folding.js'

export interface RunnerOptions {
  readonly projection: Projection
  readonly store: Pick<
    EventStore,
    'readAll' | 'commits' | 'head' | 'lastPosition' | 'namespace'
  >
  /** The versions of an actor that operators have skipped. */
  readonly skipsOf: StatePorts['skipsOf']
  readonly bus: Pick<NoticeBus, 'subscribeToCommits'>
  readonly documents: Documents
  readonly readModels: ReadModels
  readonly partitions: number
  readonly assignment: Pick<PartitionAssignment, 'isOurs' | 'onChange'>
  /** Whether any member builds this version. */
  readonly isRun: (version: number) => boolean
  readonly log: WriteLog
  /** The clock that ages are measured by, ms since 1970. */
  readonly now: () => number
}

export interface BuildStats {
  readonly number: number
  readonly state: 'building' | 'live'
  /** The rows include the log up to here. */
  readonly position: Position
  /** Positions of the log that are not yet included, as far as this node knows. */
  readonly lag: number
  /** Seconds since the oldest event was stored that this node has read and the rows do not include; 0 for none. */
  readonly lagSeconds: number
  /** The event at which the build has stopped and which it tries again. */
  readonly stuck?: StuckAt
}

export interface ProjectionStats {
  readonly version: number
  /** The builds that run on this node; empty where another node builds them. */
  readonly builds: readonly BuildStats[]
  /** Builds whose log was not the one that they are from, since the start: it was restored, and they are replaced. */
  readonly setBack: number
}

interface Running {
  build: Build
  /** Its rows are folded from another log. */
  isWrong: boolean
  readonly builder: Builder
  readonly ending: AbortController
  readonly ended: Promise<void>
}

/** Milliseconds between checks of the builds and the end of the log. */
const checkEvery = 500
/** RUNNER-2, in milliseconds. */
const freshFor = 1_000
/** Milliseconds between two looks whether the rows are still there (BUILDER-7). */
const checkRowsEvery = 5_000
/** Milliseconds before another check after an error. */
const errorPause = 500
/** Milliseconds without a node that builds a version after which its builds are dropped. */
const abandonedAfter = 10_000

/** The name of the group of a projection's version, as members announce it. */
export function projectionGroup(name: string, version: number): string {
  return `projection.${name}.${version}`
}

export class ProjectionRunner {
  readonly #options: RunnerOptions
  readonly #source: RecordSource<StoredCommit | UnreadableRecord>
  readonly #running = new Map<number, Running>()
  readonly #stopping = new AbortController()
  /** Raised when a build makes progress. */
  readonly progress = new WakeSignal()
  /** Aborted to check the builds at once. */
  #nextCheck = new AbortController()
  /** The end of the log, and when it was read. */
  #end = { position: 0, at: -Infinity }
  /** Versions that no member builds, and since when. */
  readonly #abandoned = new Map<number, number>()
  #rowsCheckedAt = -Infinity
  #run: Promise<void> | undefined
  #setBack = 0

  constructor(options: RunnerOptions) {
    this.#options = options
    const { projection, store, bus, partitions, log } = options
    const { types, events } = projection
    this.#source = logSource<StoredCommit>({
      store,
      bus,
      partitions,
      matches: ({ eventTypes }, { type: actorType }) =>
        events === undefined
          ? types.includes(actorType)
          : eventTypes.some(type => events.includes(type)),
      select: commit => commit,
      types: async () => types,
      log,
    })
  }

  get projection(): Projection {
    return this.#options.projection
  }

  start(): void {
    this.#run ??= this.#work()
  }

  /** RUNNER-3 */
  async stop(timeout: number): Promise<void> {
    this.#stopping.abort()
    this.#nextCheck.abort()
    const inTime = new AbortController()
    const ended = (this.#run ?? Promise.resolve()).then(() => inTime.abort())
    await Promise.race([ended, pause(timeout, inTime.signal)])
  }

  /** Checks the builds at once, after this node has changed them. */
  wake(): void {
    this.#nextCheck.abort()
  }

  /** What this node has still to fold of the log, in words; `undefined` for nothing. */
  unsettled(end: Position): string | undefined {
    const { name } = this.projection
    const isOurs = this.#options.assignment.isOurs(0)
    if (isOurs !== this.#running.size > 0) return `projection ${name} changes its node`
    for (const { builder } of this.#running.values()) {
      const found = builder.unsettled(end)
      if (found !== undefined) return `projection ${name} ${found}`
    }
    return undefined
  }

  stats(): ProjectionStats {
    const builds = [...this.#running.values()].map(({ build, builder }) => ({
      number: build.number,
      state: build.state as 'building' | 'live',
      position: builder.position,
      lag: Math.max(0, this.#end.position - builder.position),
      lagSeconds: lagSince(builder.oldestAt, this.#options.now()),
      ...(builder.stuck !== undefined && { stuck: builder.stuck }),
    }))
    return { version: this.projection.version, builds, setBack: this.#setBack }
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { assignment, log, projection } = this.#options
    const stopListening = assignment.onChange(() => this.#nextCheck.abort())
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#nextCheck = new AbortController()
      const { signal: checkNow } = this.#nextCheck
      try {
        if (assignment.isOurs(0)) await this.#manageBuilds()
        else await this.#endAll()
        await pause(checkEvery, checkNow)
      } catch (error) {
        // What fails because the node closes is no fault.
        if (signal.aborted || isCairnError(error, 'store-closed')) break
        log(
          'warn',
          `Projection ${projection.name} cannot be managed; this node tries again`,
          {
            err: error,
          },
        )
        await pause(errorPause, signal)
      }
    }
    stopListening()
    await this.#endAll()
  }

  /** Starts, promotes and ends the builds of this version (RUNNER-1). */
  async #manageBuilds(): Promise<void> {
    const { projection, documents, readModels, store, log } = this.#options
    const { name, version } = projection
    let builds = await readBuilds(documents, name, () =>
      log(
        'error',
        `The list of builds of projection ${name} is damaged: it is built anew`,
        {},
      ),
    )
    const change = async (to: (builds: Builds) => Builds) => {
      builds = await changeBuilds(documents, name, to)
    }
    const ours = () => builds.builds.filter(build => build.version === version)
    if (!ours().some(({ state }) => state !== 'retired')) {
      // Rows under this number are of a list that was lost (BUILDS-3).
      await readModels.open(modelOf(name, { number: builds.next })).drop()
      await change(now => {
        const exists = now.builds.some(
          build => build.version === version && build.state !== 'retired',
        )
        return exists ? now : withNewBuild(now, version)
      })
    }
    const position = await store.lastPosition({ signal: this.#stopping.signal })
    const at = performance.now()
    if (at - this.#rowsCheckedAt > checkRowsEvery) {
      this.#rowsCheckedAt = at
      for (const { builder } of this.#running.values()) await builder.checkRows()
    }
    for (const running of this.#running.values()) {
      const { builder, build } = running
      if (builder.isOfAnotherLog) {
        // Once: the build may stay the one that is read until the next one has caught up.
        if (!running.isWrong) {
          this.#setBack++
          log(
            'warn',
            `Projection ${name} is rebuilt: its log is not the one it has read`,
            {
              build: build.number,
              position: builder.position,
            },
          )
        }
        running.isWrong = true
        await change(now => withoutWrong(now, build))
        continue
      }
      const isCurrent = builder.position >= this.#end.position
      if (build.state === 'building' && isCurrent && at - this.#end.at < freshFor) {
        await change(now => withLive(now, build.number))
        log('info', `Projection ${name} is now read from build ${build.number}`, {
          version,
          position: builder.position,
        })
      }
    }
    this.#end = { position, at }
    const wanted = new Map(
      ours()
        .filter(({ state }) => state !== 'retired')
        .map(build => [build.number, build]),
    )
    for (const [number, running] of this.#running) {
      const build = wanted.get(number)
      if (build === undefined) await this.#endBuild(running)
      else running.build = build
    }
    for (const build of wanted.values())
      if (!this.#running.has(build.number)) this.#begin(build)
    for (const other of this.#versionsToRetire(builds, at))
      await change(now => withoutVersion(now, other))
    await this.#dropRetired(builds)
  }

  /** Versions that no member has built for `abandonedAfter`. */
  #versionsToRetire({ builds }: Builds, at: number): number[] {
    const { projection, isRun } = this.#options
    for (const { version } of builds)
      if (version === projection.version || isRun(version))
        this.#abandoned.delete(version)
      else if (!this.#abandoned.has(version)) this.#abandoned.set(version, at)
    return [...this.#abandoned]
      .filter(([, since]) => at - since > abandonedAfter)
      .map(([version]) => version)
  }

  /** Drops retired builds of this version, and those of versions that no member builds. */
  async #dropRetired({ builds }: Builds): Promise<void> {
    const { projection, documents, readModels, isRun } = this.#options
    const { name, version } = projection
    for (const build of builds) {
      const isOurs = build.version === version || !isRun(build.version)
      if (build.state !== 'retired' || !isOurs) continue
      await readModels.open(modelOf(name, build)).drop()
      await changeBuilds(documents, name, now => without(now, build.number))
    }
  }

  #begin(build: Build): void {
    const { projection, readModels, log } = this.#options
    const ending = new AbortController()
    const builder = new Builder({
      projection,
      model: readModels.open(modelOf(projection.name, build)),
      source: this.#source,
      folding: foldingOf(this.#options),
      log,
      onProgress: position => {
        this.progress.raise(position)
        // RUNNER-2: a build that has caught up becomes live at once.
        const { state } = this.#running.get(build.number)?.build ?? build
        const isCaughtUp = position >= this.#end.position
        if (state === 'building' && isCaughtUp) this.#nextCheck.abort()
      },
    })
    const ended = builder.run(ending.signal)
    this.#running.set(build.number, { build, isWrong: false, builder, ending, ended })
  }

  async #endBuild({ build, ending, ended }: Running): Promise<void> {
    ending.abort()
    await ended
    this.#running.delete(build.number)
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => this.#endBuild(running)))
  }
}

/** A build has its own: what it keeps in memory is of what this build has read. */
function foldingOf({ projection, ...ports }: RunnerOptions): Folding {
  const { rows } = projection
  return rows.kind === 'events'
    ? foldingOfEvents({ ...projection, events: projection.events ?? [] }, rows)
    : foldingOfStates(projection, rows, ports)
}
