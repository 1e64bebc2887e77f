// Reading a projection: any node that knows its definition may, whichever builds it.
//
// Q1. A row is of the build that is live when it is read: where one is not found, it is made sure
//     that the build was still there.
// Q2. What was waited for is in everything that this reader reads afterwards, also when another
//     build has taken the place of the one before.

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
  /** Milliseconds to wait for what is asked for. Default 10,000. */
  readonly timeout?: number
}

/** What an accepted command says of where it is stored. */
export interface AtPosition {
  readonly ok: true
  readonly position: Position
}

/** A build of a projection, as anybody can see it. */
export interface BuildStatus {
  readonly number: number
  /** Of the definition it was built by. */
  readonly version: number
  readonly state: 'building' | 'live' | 'retired'
  /** Everything in the log up to here is in it. */
  readonly position: Position
  /** Positions of the log that it has not looked at. */
  readonly lag: number
}

export interface ProjectionStatus {
  readonly name: string
  /** The last position of the log. */
  readonly end: Position
  readonly builds: readonly BuildStatus[]
}

/** One projection, as it is read. */
export interface ProjectionReader<Row> {
  /**
   * The row of a key; `undefined` where there is none. Waits while the projection is built for the
   * first time. Throws `deadline-exceeded`, `aborted` or `store-unreachable`.
   */
  get(key: string, options?: ProjectionReadOptions): Promise<Row | undefined>

  /**
   * Every row, in no particular order, each as it is when it is come by. Throws as `get` does, and
   * `contention` when a newer build took the place of this one meanwhile: begin again then.
   */
  entries(
    options?: ProjectionReadOptions,
  ): AsyncIterable<readonly [key: string, row: Row]>

  /**
   * Resolves once everything up to a position of the log is in what this reader reads: the
   * position of an accepted command, for example. Throws `deadline-exceeded` or `aborted`.
   */
  waitFor(
    stored: Position | AtPosition,
    options?: ProjectionReadOptions,
  ): Promise<Position>

  /**
   * Has the rows built anew, from the first event on, beside those that are there; these are read
   * until the new ones have caught up. Resolves when that is stored; a node does it.
   */
  rebuild(): Promise<void>

  status(): Promise<ProjectionStatus>
}

export interface ReaderOptions {
  readonly projection: Projection
  readonly documents: Documents
  readonly readModels: ReadModels
  readonly lastPosition: () => Promise<Position>
  /** This node's part in it, where it has one. */
  readonly runner?: ProjectionRunner | undefined
}

const timeoutDefault = 10_000
/** Milliseconds between looks, from short to long. */
const lookFirst = 5
const lookMax = 100

export function readerOf<Row>(options: ReaderOptions): ProjectionReader<Row> {
  const { projection, documents, readModels, runner } = options
  const { name, version } = projection
  /** Q2. */
  let floor: Position = 0
  let known: Build | undefined

  const servedNow = async () => served(await readBuilds(documents, name), version)
  const modelFor = (build: Build): ReadModel => readModels.open(modelOf(name, build))

  /** Looks until the work finds something; wakes early where this node builds it. */
  async function looking<T>(
    { signal, timeout = timeoutDefault }: ProjectionReadOptions,
    what: string,
    look: (left: number) => Promise<T | undefined>,
  ): Promise<T> {
    const deadline = performance.now() + timeout
    let wait = lookFirst
    for (;;) {
      throwIfAborted(signal, what)
      const rung = runner?.bell.position ?? 0
      const found = await look(deadline - performance.now())
      if (found !== undefined) return found
      const left = deadline - performance.now()
      if (left <= 0) throw late(name, what, timeout)
      const bounds = signal ?? new AbortController().signal
      if (runner === undefined) await pause(Math.min(wait, left), bounds)
      else await runner.bell.wait(rung, Math.min(wait, left), bounds)
      if (signal?.aborted === true) throw abortedError(signal, what)
      wait = Math.min(lookMax, wait * 2)
    }
  }

  /** The build to read, at `floor` or beyond it. */
  async function current(within: ProjectionReadOptions): Promise<Build> {
    const build = await servedNow()
    if (build !== undefined && build.number === known?.number) return build
    known = await looking(within, `reading projection ${name}`, async () => {
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
        // Q1.
        if ((await servedNow())?.number === build.number) return undefined
      }
    },

    async *entries(within = {}) {
      const { signal } = within
      const build = await current(within)
      for await (const [key, row] of modelFor(build).entries(signal && { signal }))
        yield [key, row as Row] as const
      // Q1.
      if ((await servedNow())?.number !== build.number)
        throw new CairnError(
          'contention',
          `Projection ${name} was read from build ${build.number} while another one took its place: ` +
            'rows may be missing. Read it again.',
        )
    },

    async waitFor(stored, within = {}) {
      const wanted = checkCount(
        'position',
        typeof stored === 'number' ? stored : stored.position,
      )
      const what = `waiting for position ${wanted} in projection ${name}`
      const position = await looking(within, what, async () => {
        const build = await servedNow()
        if (build === undefined) return undefined
        const place = await modelFor(build).checkpoint()
        if (place.position < wanted) return undefined
        if (place.position >= floor) known = build
        return place.position
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

/** The builds of a projection, and how far each has come. */
export async function statusOf({
  name,
  documents,
  readModels,
  lastPosition,
}: Pick<ReaderOptions, 'documents' | 'readModels' | 'lastPosition'> & {
  readonly name: string
}): Promise<ProjectionStatus> {
  const { builds } = await readBuilds(documents, name)
  const places = await Promise.all(
    builds.map(build => readModels.open(modelOf(name, build)).checkpoint()),
  )
  const end = await lastPosition()
  return {
    name,
    end,
    builds: builds.map(({ number, version, state }, i) => {
      const { position } = places[i]!
      return { number, version, state, position, lag: Math.max(0, end - position) }
    }),
  }
}

function late(name: string, what: string, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `Gave up ${what} after ${timeout} ms: look whether a node with this projection runs, how far it ` +
      'has come, and what it cannot pass ("cairn projections").',
    { details: { projection: name } },
  )
}
