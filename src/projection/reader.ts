// Reads a projection. Any node that has its definition can read it, whichever node builds it.
//
// READER-1. A row comes from the build that is live when it is read. When a row is missing, the reader checks that
//     the build is still live.
// READER-2. Once `waitFor` has resolved for a position, every later read of this reader includes that position,
//     also after another build has become live.

import type { Documents } from '../store/documents/documents.js'
import { CairnError } from '../model/errors.js'
import { checkCount, type Position } from '../model/version.js'
import { abortedError, pause, throwIfAborted } from '../model/wait.js'
import type { ReadModel, ReadModels } from '../store/read-models/read-models.js'
import {
  type Build,
  changeBuilds,
  modelOf,
  readBuilds,
  served,
  withNewBuild,
} from './builds.js'
import type { Projection } from './define-projection.js'
import type { ProjectionRunner } from './runner.js'

export interface ProjectionReadOptions {
  readonly signal?: AbortSignal
  /** Milliseconds to wait. Default 10,000. */
  readonly timeout?: number
}

/** The part of an accepted command's outcome that tells its position. */
export interface AtPosition {
  readonly ok: true
  readonly position: Position
}

/** One build of a projection. */
export interface BuildStatus {
  readonly number: number
  /** The version of the definition that it was built with. */
  readonly version: number
  readonly state: 'building' | 'live' | 'retired'
  /** The rows include the log up to here. */
  readonly position: Position
  /** Positions of the log that are not yet included. */
  readonly lag: number
}

export interface ProjectionStatus {
  readonly name: string
  /** The last position of the log. */
  readonly end: Position
  readonly builds: readonly BuildStatus[]
}

/** Reads the rows of one projection. */
export interface ProjectionReader<Row> {
  /**
   * The row of a key; `undefined` when there is none. Waits while the projection is built for the first time. Throws `deadline-exceeded`, `aborted` or `store-unreachable`.
   */
  get(key: string, options?: ProjectionReadOptions): Promise<Row | undefined>

  /**
   * Every row, in no particular order, each as it is when it is read. Throws as `get` does, and `contention` when
   * another build became live meanwhile: read again then.
   */
  entries(
    options?: ProjectionReadOptions,
  ): AsyncIterable<readonly [key: string, row: Row]>

  /**
   * Resolves once this reader's rows include the log up to a position, for example the position of an accepted
   * command. Throws `deadline-exceeded` or `aborted`.
   */
  waitFor(
    stored: Position | AtPosition,
    options?: ProjectionReadOptions,
  ): Promise<Position>

  /**
   * Requests a new build from the first event. The present rows are read until the new build has caught up.
   * Resolves when the request is stored; the node that builds this projection carries it out.
   */
  rebuild(): Promise<void>

  status(): Promise<ProjectionStatus>
}

export interface ReaderOptions {
  readonly projection: Projection
  readonly documents: Documents
  readonly readModels: ReadModels
  readonly lastPosition: () => Promise<Position>
  /** The runner on this node, where it builds the projection. */
  readonly runner?: ProjectionRunner | undefined
}

const timeoutDefault = 10_000
/** Milliseconds between checks: the first one, and the longest. */
const checkFirst = 5
const checkMax = 100

export function readerOf<Row>(options: ReaderOptions): ProjectionReader<Row> {
  const { projection, documents, readModels, runner } = options
  const { name, version } = projection
  /** READER-2 */
  let floor: Position = 0
  let known: Build | undefined

  const servedNow = async () => served(await readBuilds(documents, name), version)
  const modelFor = (build: Build): ReadModel => readModels.open(modelOf(name, build))

  /** Calls `look` until it returns a value; wakes early when a build on this node makes progress. */
  async function poll<T>(
    { signal, timeout = timeoutDefault }: ProjectionReadOptions,
    what: string,
    look: (left: number) => Promise<T | undefined>,
  ): Promise<T> {
    const deadline = performance.now() + timeout
    let wait = checkFirst
    for (;;) {
      throwIfAborted(signal, what)
      const progress = runner?.progress.position ?? 0
      const found = await look(deadline - performance.now())
      if (found !== undefined) return found
      const left = deadline - performance.now()
      if (left <= 0) throw late(name, what, timeout)
      const bounds = signal ?? new AbortController().signal
      if (runner === undefined) await pause(Math.min(wait, left), bounds)
      else await runner.progress.wait(progress, Math.min(wait, left), bounds)
      if (signal?.aborted === true) throw abortedError(signal, what)
      wait = Math.min(checkMax, wait * 2)
    }
  }

  /** The build to read, which includes `floor`. */
  async function current(within: ProjectionReadOptions): Promise<Build> {
    const build = await servedNow()
    if (build !== undefined && build.number === known?.number) return build
    known = await poll(within, `reading projection ${name}`, async () => {
      const found = await servedNow()
      if (found === undefined || floor === 0) return found
      return (await modelFor(found).checkpoint()).position >= floor ? found : undefined
    })
    return known
  }

  return {
    async get(key, within = {}) {
      for (;;) {
        const build = await current(within)
        const { signal } = within
        const [row] = await modelFor(build).get([key], signal && { signal })
        if (row !== undefined) return row as Row
        // READER-1
        if ((await servedNow())?.number === build.number) return undefined
      }
    },

    async *entries(within = {}) {
      const { signal } = within
      const build = await current(within)
      for await (const [key, row] of modelFor(build).entries(signal && { signal }))
        yield [key, row as Row] as const
      // READER-1
      if ((await servedNow())?.number !== build.number)
        throw new CairnError(
          'contention',
          `Projection ${name} was read from build ${build.number} while another build became live: ` +
            'rows may be missing. Read it again.',
        )
    },

    async waitFor(stored, within = {}) {
      const wanted = checkCount(
        'position',
        typeof stored === 'number' ? stored : stored.position,
      )
      const what = `waiting for position ${wanted} in projection ${name}`
      const position = await poll(within, what, async () => {
        const build = await servedNow()
        if (build === undefined) return undefined
        const { position } = await modelFor(build).checkpoint()
        if (position < wanted) return undefined
        if (position >= floor) known = build
        return position
      })
      floor = Math.max(floor, wanted)
      return position
    },

    async rebuild() {
      await changeBuilds(documents, name, now => withNewBuild(now, version))
      runner?.wake()
    },

    status: () => statusOf({ ...options, name }),
  }
}

/** The builds of a projection and the position of each. */
export async function statusOf({
  name,
  documents,
  readModels,
  lastPosition,
}: Pick<ReaderOptions, 'documents' | 'readModels' | 'lastPosition'> & {
  readonly name: string
}): Promise<ProjectionStatus> {
  const { builds } = await readBuilds(documents, name)
  const checkpoints = await Promise.all(
    builds.map(build => readModels.open(modelOf(name, build)).checkpoint()),
  )
  const end = await lastPosition()
  return {
    name,
    end,
    builds: builds.map(({ number, version, state }, i) => {
      const { position } = checkpoints[i]!
      return { number, version, state, position, lag: Math.max(0, end - position) }
    }),
  }
}

function late(name: string, what: string, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `Gave up ${what} after ${timeout} ms: check with "cairn projections" whether a node builds this projection, ` +
      'how far it is, and whether an event stops it.',
    { details: { projection: name } },
  )
}
