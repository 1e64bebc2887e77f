// A node's part in a projection: whether it is the one that builds it, and which builds there are.
//
// N1. One node builds a version of a projection, by placement. That two may believe it is no harm:
//     see builder.ts, P1.
// N2. A new build becomes the one that is read when it has reached the end of the log as it was at
//     most `freshFor` before; until then the one before it is built on, and read.
// N3. `stop` resolves in time, whatever hangs. What is written after that is written whole, or is
//     a conflict.

import type { NoticeBus } from '../bus/bus.js'
import type { Documents } from '../store/documents/documents.js'
import type { StoredCommit } from '../model/commit.js'
import { isCairnError } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Position } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { PartitionClaims } from '../delivery/group/group.js'
import { logSource } from '../delivery/group/log-source.js'
import type { GroupSource, Unreadable } from '../delivery/group/source.js'
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

export interface RunnerOptions {
  readonly projection: Projection
  readonly store: Pick<EventStore, 'readAll' | 'commits' | 'lastPosition' | 'namespace'>
  readonly bus: Pick<NoticeBus, 'subscribeToCommits'>
  readonly documents: Documents
  readonly readModels: ReadModels
  readonly partitions: number
  readonly claims: Pick<PartitionClaims, 'isOurs' | 'onChange'>
  /** Whether any living node builds that version. */
  readonly isRun: (version: number) => boolean
  readonly log: WriteLog
}

export interface BuildStats {
  readonly number: number
  readonly state: 'building' | 'live'
  /** Everything in the log up to here is in it. */
  readonly position: Position
  /** Positions of the log that are not looked at yet, as far as this node knows. */
  readonly lag: number
  /** What it cannot pass, and is tried again. */
  readonly stuck?: StuckAt
}

export interface ProjectionStats {
  readonly version: number
  /** Those that this node builds: none where another one does. */
  readonly builds: readonly BuildStats[]
}

interface Running {
  build: Build
  readonly builder: Builder
  readonly ending: AbortController
  readonly ended: Promise<void>
}

/** Milliseconds between looks at the builds and the end of the log. */
const lookEvery = 500
/** N2. */
const freshFor = 1_000
const troublePause = 500
/** Milliseconds without a node that builds a version until its builds are dropped. */
const unrunFor = 10_000

/** Name of the group of a projection's version, among the groups that members announce. */
export function projectionGroup(name: string, version: number): string {
  return `projection.${name}.${version}`
}

export class ProjectionRunner {
  readonly #options: RunnerOptions
  readonly #source: GroupSource<StoredCommit | Unreadable>
  readonly #running = new Map<number, Running>()
  readonly #stopping = new AbortController()
  /** Rung when a build has come further, and whatever may concern the next look. */
  readonly bell = new WakeSignal()
  #look = new AbortController()
  #end = { position: 0, at: -Infinity }
  /** Versions that nobody was seen to build, since when. */
  readonly #unrun = new Map<number, number>()
  #run: Promise<void> | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
    const { projection, store, bus, partitions, log } = options
    const { types, events } = projection
    this.#source = logSource<StoredCommit>({
      store,
      bus,
      partitions,
      wants: ({ eventTypes }) => eventTypes.some(type => events.includes(type)),
      pick: commit => commit,
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

  /** N3. */
  async stop(timeout: number): Promise<void> {
    this.#stopping.abort()
    this.#look.abort()
    const inTime = new AbortController()
    const ended = (this.#run ?? Promise.resolve()).then(() => inTime.abort())
    await Promise.race([ended, pause(timeout, inTime.signal)])
  }

  /** Has the builds looked at now: they were changed by this node. */
  wake(): void {
    this.#look.abort()
  }

  stats(): ProjectionStats {
    const builds = [...this.#running.values()].map(({ build, builder }) => ({
      number: build.number,
      state: build.state as 'building' | 'live',
      position: builder.position,
      lag: Math.max(0, this.#end.position - builder.position),
      ...(builder.stuck !== undefined && { stuck: builder.stuck }),
    }))
    return { version: this.projection.version, builds }
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    const { claims, log, projection } = this.#options
    const stopListening = claims.onChange(() => this.#look.abort())
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#look = new AbortController()
      const { signal: look } = this.#look
      try {
        if (claims.isOurs(0)) await this.#tend()
        else await this.#endAll()
        await pause(lookEvery, look)
      } catch (error) {
        if (isCairnError(error, 'store-closed')) break
        log('warn', `Projection ${projection.name} is not tended; it tries again`, {
          err: error,
        })
        await pause(troublePause, signal)
      }
    }
    stopListening()
    await this.#endAll()
  }

  /** N1: sees to the builds of this version. */
  async #tend(): Promise<void> {
    const { projection, documents, store, log } = this.#options
    const { name, version } = projection
    let builds = await readBuilds(documents, name)
    const change = async (to: (builds: Builds) => Builds) => {
      builds = await changeBuilds(documents, name, to)
    }
    const ours = () => builds.builds.filter(build => build.version === version)
    if (!ours().some(({ state }) => state !== 'retired'))
      await change(now => {
        const isThere = now.builds.some(
          build => build.version === version && build.state !== 'retired',
        )
        return isThere ? now : withNewBuild(now, version)
      })
    const position = await store.lastPosition({ signal: this.#stopping.signal })
    const at = performance.now()
    for (const running of this.#running.values()) {
      const { builder, build } = running
      if (builder.isAheadOfLog) {
        log('warn', `Projection ${name} is ahead of the log, and is built anew`, {
          position: builder.position,
        })
        await change(now => withoutWrong(now, build))
        continue
      }
      const isCurrent = builder.position >= this.#end.position
      if (build.state === 'building' && isCurrent && at - this.#end.at < freshFor) {
        await change(now => withLive(now, build.number))
        log('info', `Projection ${name} is read from build ${build.number} now`, {
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
      if (build === undefined) await this.#letGo(running)
      else running.build = build
    }
    for (const build of wanted.values())
      if (!this.#running.has(build.number)) this.#begin(build)
    for (const other of this.#unrunSince(builds, at))
      await change(now => withoutVersion(now, other))
    await this.#dropRetired(builds)
  }

  /** Versions that nobody has been seen to build for a while. */
  #unrunSince({ builds }: Builds, at: number): number[] {
    const { projection, isRun } = this.#options
    for (const { version } of builds)
      if (version === projection.version || isRun(version)) this.#unrun.delete(version)
      else if (!this.#unrun.has(version)) this.#unrun.set(version, at)
    return [...this.#unrun]
      .filter(([, since]) => at - since > unrunFor)
      .map(([version]) => version)
  }

  /** Builds whose place is taken; those of another version, where nobody is left to do it. */
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
      log,
      onProgress: position => {
        this.bell.raise(position)
        // N2: whoever has caught up need not wait for the next look.
        const { state } = this.#running.get(build.number)?.build ?? build
        const isCaughtUp = position >= this.#end.position
        if (state === 'building' && isCaughtUp) this.#look.abort()
      },
    })
    const ended = builder.run(ending.signal)
    this.#running.set(build.number, { build, builder, ending, ended })
  }

  async #letGo({ build, ending, ended }: Running): Promise<void> {
    ending.abort()
    await ended
    this.#running.delete(build.number)
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => this.#letGo(running)))
  }
}
