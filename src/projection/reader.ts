// Reads a projection. Any node that has its definition can read it, whichever node builds it.
//
// READER-1. A row comes from the build that is live when it is read. When a row is missing, the reader checks that
//     the build is still live.
// READER-2. Once `waitFor` has resolved for a position, every later read of this reader includes that position,
//     also after another build has become live.
// READER-3. When the node closes, waits end at once: a read with `node-closed`, a watch without an error. What needs no wait is read until
//     the store is closed, for handlers that still run.

import { isDeepStrictEqual } from 'node:util'

import type { Documents } from '../store/documents/documents.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { defined } from '../model/defined.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { offAbort, onAbort } from '../model/on-abort.js'
import { programs } from '../model/programs.js'
import { checkCount, type Position } from '../model/version.js'
import { abortedError, pause, throwIfAborted } from '../model/wait.js'
import { lagSince } from '../delivery/health.js'
import type { EventStore } from '../store/event-store/event-store.js'
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
import {
  prepareQuery,
  type RowsPage,
  type RowsQuery,
  rowsQueryNames,
} from './rows-query.js'
import type { ProjectionRunner } from './runner.js'

/** How long a reader waits. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds to wait. Default 10,000; `Infinity` waits until the signal fires or the node closes. */
  readonly timeout?: number | undefined
}

export interface ProjectionReadOptions extends WaitOptions {
  /**
   * Waits until the rows include the log up to here: a position, or the outcome of a command. What was stored there is then
   * visible. Default: the rows as they are.
   */
  readonly after?: Position | AtPosition | undefined
}

/** What a watcher of a row gets. */
export interface WatchedRow<Row> {
  readonly key: string
  /** `undefined` when there is no row of this key. */
  readonly row: Row | undefined
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
  /** Seconds since the first commit was stored that is not yet included; 0 for none. */
  readonly lagSeconds: number
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
   * The row of a key; `undefined` when there is none. Waits while the projection is built for the first time, and for what
   * `after` names. Throws `deadline-exceeded`, `aborted`, `node-closed`, `store-unreachable` or `invalid-option`.
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
   * A page of rows: those that `where` accepts, from `from` to `to` in the order of `orderBy`. The next page begins at the
   * `cursor` of this one. It reads all rows once for a page. Throws as `get` does.
   */
  list(query?: RowsQuery<Row> & ProjectionReadOptions): Promise<RowsPage<Row>>

  /**
   * Yields the row of a key as it is now, and again each time that it has changed, until the signal fires or the node closes; of several changes
   * in a row it may yield the last one only. Throws as `get` does, as long as there is nothing to read.
   */
  watch(key: string, options?: ProjectionReadOptions): AsyncIterable<WatchedRow<Row>>

  /**
   * Resolves once this reader's rows include the log up to a position, for example the position of an accepted
   * command. Throws `deadline-exceeded`, `aborted` or `node-closed`.
   */
  waitFor(stored: Position | AtPosition, options?: WaitOptions): Promise<Position>

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
  /** When the first commit after a position was stored, ms since 1970; `undefined` if there is none. */
  readonly storedAfter: (position: Position) => Promise<number | undefined>
  /** The clock that ages are measured by, ms since 1970. */
  readonly now: () => number
  /** The runner on this node, where it builds the projection. */
  readonly runner?: ProjectionRunner | undefined
  /** Fires when the node closes. Default: never. */
  readonly closing?: AbortSignal | undefined
}

const timeoutDefault = 10_000
/** Milliseconds between checks: the first one, and the longest. */
const checkFirst = 5
const checkMax = 100
/** Milliseconds between two looks of a watcher at a row that does not change, at most. */
const watchMax = 250

const readOptionNames: OptionNames<ProjectionReadOptions> = {
  signal: true,
  timeout: true,
  after: true,
}

export function readerOf<Row>(options: ReaderOptions): ProjectionReader<Row> {
  const { projection, documents, readModels, runner } = options
  const { closing = new AbortController().signal } = options
  const { name, version } = projection
  /** READER-2 */
  let floor: Position = 0
  let known: Build | undefined

  const servedNow = async () => served(await readBuilds(documents, name), version)
  const modelFor = (build: Build): ReadModel => readModels.open(modelOf(name, build))

  /** Calls `look` until it returns a value; wakes early when a build on this node makes progress. */
  async function poll<T>(
    { signal, timeout = timeoutDefault }: WaitOptions,
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
      if (left <= 0) throw late(name, what, timeout, runner !== undefined)
      if (closing.aborted) throw nodeClosed(name, what)
      await pauseFor(Math.min(wait, left), progress, signal)
      if (signal?.aborted === true) throw abortedError(signal, what)
      wait = Math.min(checkMax, wait * 2)
    }
  }

  /** Waits for `ms`, for progress of a build on this node, for the signal, or until the node closes (READER-3). */
  async function pauseFor(
    ms: number,
    progress: Position,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const ended = new AbortController()
    const end = () => ended.abort()
    if (signal?.aborted === true || closing.aborted) return
    onAbort(signal, end)
    onAbort(closing, end)
    try {
      if (runner === undefined) await pause(ms, ended.signal)
      else await runner.progress.wait(progress, ms, ended.signal)
    } finally {
      offAbort(signal, end)
      offAbort(closing, end)
    }
  }

  /** The error of a read, which is `node-closed` once the node is closing and its store is closed. */
  function explained(error: unknown): unknown {
    const isClosed = closing.aborted && isCairnError(error, 'store-closed')
    return isClosed ? nodeClosed(name, `reading projection ${name}`, error) : error
  }

  /** Resolves once the rows include the log up to a position. */
  async function waitFor(
    stored: Position | AtPosition,
    within: WaitOptions,
  ): Promise<Position> {
    const given = typeof stored === 'number' ? stored : stored?.position
    const wanted = checkCount('position', given)
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
  }

  /** The build to read, which includes `floor` and what is to be waited for. */
  async function current({ after, ...within }: ProjectionReadOptions): Promise<Build> {
    if (after !== undefined) await waitFor(after, within)
    const build = await servedNow()
    if (build !== undefined && build.number === known?.number) return build
    known = await poll(within, `reading projection ${name}`, async () => {
      const found = await servedNow()
      if (found === undefined || floor === 0) return found
      return (await modelFor(found).checkpoint()).position >= floor ? found : undefined
    })
    return known
  }

  async function get(key: string, within: ProjectionReadOptions): Promise<unknown> {
    const { after: _, ...later } = within
    for (let next: ProjectionReadOptions = within; ; next = later) {
      const build = await current(next)
      const { signal } = within
      const [row] = await modelFor(build).get([key], signal && { signal })
      if (row !== undefined) return row
      // READER-1
      if ((await servedNow())?.number === build.number) return undefined
    }
  }

  return {
    async get(key, within = {}) {
      checkOptions(`get of projection ${name}`, within, readOptionNames)
      try {
        return (await get(key, within)) as Row | undefined
      } catch (error) {
        throw explained(error)
      }
    },

    async *entries(within = {}) {
      checkOptions(`entries of projection ${name}`, within, readOptionNames)
      const { signal } = within
      let build: Build
      let after: Build | undefined
      try {
        build = await current(within)
        for await (const [key, row] of modelFor(build).entries(signal && { signal }))
          yield [key, row as Row] as const
        after = await servedNow()
      } catch (error) {
        throw explained(error)
      }
      // READER-1
      if (after?.number !== build.number)
        throw new CairnError(
          'contention',
          `Projection ${name} was read from build ${build.number} while another build became live: ` +
            'rows may be missing. Read it again.',
        )
    },

    async list(query = {}) {
      const { after, timeout, signal, ...wanted } = query
      checkOptions(`list of projection ${name}`, wanted, rowsQueryNames)
      const prepared = prepareQuery(name, wanted as RowsQuery<unknown>)
      const later = { timeout, signal }
      try {
        for (let next: ProjectionReadOptions = { ...later, after }; ; next = later) {
          const build = await current(next)
          const model = modelFor(build)
          const rows = model.entries({ range: prepared.range, ...(signal && { signal }) })
          const page = (await prepared.page(rows, model.isOrdered)) as RowsPage<Row>
          // READER-1
          if ((await servedNow())?.number === build.number) return page
        }
      } catch (error) {
        throw explained(error)
      }
    },

    async *watch(key, within = {}) {
      checkOptions(`watch of projection ${name}`, within, readOptionNames)
      const { after: _, ...later } = within
      const { signal } = within
      const isOver = () => signal?.aborted === true || closing.aborted
      let options: ProjectionReadOptions = within
      let last: readonly [unknown] | undefined
      let wait = checkFirst
      while (!isOver()) {
        const progress = runner?.progress.position ?? 0
        let row: unknown
        try {
          row = await get(key, options)
        } catch (error) {
          const isClosed =
            closing.aborted && isCairnError(explained(error), 'node-closed')
          if (signal?.aborted === true || isClosed) return
          throw error
        }
        options = later
        if (last === undefined || !isDeepStrictEqual(last[0], row)) {
          last = [row]
          wait = checkFirst
          yield { key, row: row as Row | undefined }
        }
        await pauseFor(wait, progress, signal)
        wait = Math.min(watchMax, wait * 2)
      }
    },

    async waitFor(stored, within = {}) {
      try {
        return await waitFor(stored, within)
      } catch (error) {
        throw explained(error)
      }
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
  storedAfter,
  now,
}: Pick<
  ReaderOptions,
  'documents' | 'readModels' | 'lastPosition' | 'storedAfter' | 'now'
> & {
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
    builds: await Promise.all(
      builds.map(async ({ number, version, state }, i) => {
        const { position } = checkpoints[i]!
        const lag = Math.max(0, end - position)
        const at =
          lag === 0 || state === 'retired' ? undefined : await storedAfter(position)
        const lagSeconds = lagSince(at, now())
        return { number, version, state, position, lag, lagSeconds }
      }),
    ),
  }
}

/** What a status needs of the log. */
export function logEndOf(
  store: Pick<EventStore, 'readAll' | 'lastPosition'>,
  signal?: AbortSignal,
  now: () => number = Date.now,
): Pick<ReaderOptions, 'lastPosition' | 'storedAfter' | 'now'> {
  const bounds = defined({ signal })
  return {
    now,
    lastPosition: () => store.lastPosition(bounds),
    async storedAfter(after) {
      for await (const record of store.readAll({ after, limit: 1, ...bounds }))
        return record.kind === 'commit' ? record.at : undefined
      return undefined
    },
  }
}

function nodeClosed(name: string, doing: string, cause?: unknown): CairnError {
  return new CairnError(
    'node-closed',
    `Stopped ${doing}: the node closes. Read it on another node.`,
    { cause, details: { projection: name } },
  )
}

function late(
  name: string,
  what: string,
  timeout: number,
  isBuiltHere: boolean,
): CairnError {
  const advice = isBuiltHere
    ? `this node builds it. Check with "${programs.cairn} projections" how far it is, and whether an event stops it.`
    : 'this node does not build it. List it in "projections" of startNode, on this node or on another one; if one does, check ' +
      `with "${programs.cairn} projections" how far it is, and whether an event stops it.`
  return new CairnError(
    'deadline-exceeded',
    `Gave up ${what} after ${Math.round(timeout)} ms: ${advice}`,
    { details: { projection: name, isBuiltHere } },
  )
}
