// The builds of a projection, as they are stored: one small document, changed by compare-and-set.
//
// A build is one run of a projection's definition over the log, with rows and a place of its own.
// B1. A version's newest build that is live is what its readers get; where it has none, the newest
//     live one of any version.
// B2. A build is retired only when there is a live one to read instead; its data are dropped after
//     that, and it leaves the document last.
// B3. Numbers of builds are never given twice.

import { decode, encode } from '../codec/msgpack.js'
import type { Documents } from '../store/documents/documents.js'
import { CairnError } from '../model/errors.js'

export type BuildState = 'building' | 'live' | 'retired'

export interface Build {
  /** Of the definition. */
  readonly version: number
  readonly number: number
  readonly state: BuildState
}

export interface Builds {
  /** The number of the next one. */
  readonly next: number
  readonly builds: readonly Build[]
}

export const noBuilds: Builds = { next: 1, builds: [] }

const attemptsMax = 100

/** Name of the read model of a build. */
export function modelOf(projection: string, { number }: Pick<Build, 'number'>): string {
  return `${projection}-${number}`
}

/** B1. `undefined` when nothing is live. */
export function served({ builds }: Builds, version: number): Build | undefined {
  const live = builds
    .filter(({ state }) => state === 'live')
    .toSorted((a, b) => b.number - a.number)
  return live.find(build => build.version === version) ?? live[0]
}

export async function readBuilds(documents: Documents, name: string): Promise<Builds> {
  const found = await documents.get(keyOf(name))
  return found === undefined ? noBuilds : (decode(found.value) as Builds)
}

/** The names of all projections that were ever built. */
export async function projectionNames(
  documents: Documents,
  options?: { readonly signal?: AbortSignal },
): Promise<string[]> {
  const keys = await documents.list([root], options)
  return keys.map(([, name]) => name!).toSorted()
}

/** Changes the document, whoever else does; a change that returns what it was given writes nothing. */
export async function changeBuilds(
  documents: Documents,
  name: string,
  change: (builds: Builds) => Builds,
): Promise<Builds> {
  const key = keyOf(name)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const before = found === undefined ? noBuilds : (decode(found.value) as Builds)
    const after = change(before)
    if (after === before) return before
    const put = await documents.put(key, encode(after), found?.revision ?? 0)
    if (put !== 'conflict') return after
  }
  throw new CairnError(
    'contention',
    `The builds of projection ${name} could not be written: others were faster ${attemptsMax} times in a row. ` +
      'Try again.',
  )
}

/** Begins a new build of a version, unless one is under way (B3). */
export function withNewBuild(builds: Builds, version: number): Builds {
  const isUnderWay = builds.builds.some(
    build => build.version === version && build.state === 'building',
  )
  if (isUnderWay) return builds
  const build: Build = { version, number: builds.next, state: 'building' }
  return { next: builds.next + 1, builds: [...builds.builds, build] }
}

/** B2: a build takes the place of those before it of its version. */
export function withLive(builds: Builds, number: number): Builds {
  const live = builds.builds.find(build => build.number === number)
  if (live === undefined || live.state !== 'building') return builds
  return {
    ...builds,
    builds: builds.builds.map(build => {
      if (build.number === number) return { ...build, state: 'live' }
      const isOlder = build.number < number && build.version === live.version
      return isOlder ? { ...build, state: 'retired' } : build
    }),
  }
}

/** B2: takes builds of a version that is not run any more out, where another one is live. */
export function withoutVersion(builds: Builds, version: number): Builds {
  const isIn = builds.builds.some(
    build => build.version === version && build.state !== 'retired',
  )
  const another = served(
    { ...builds, builds: builds.builds.filter(build => build.version !== version) },
    version,
  )
  if (!isIn || another === undefined) return builds
  return {
    ...builds,
    builds: builds.builds.map(build =>
      build.version === version ? { ...build, state: 'retired' } : build,
    ),
  }
}

/** Begins a version anew because one of its builds is wrong; what nobody reads yet goes at once. */
export function withoutWrong(builds: Builds, { number, version }: Build): Builds {
  const left = {
    ...builds,
    builds: builds.builds.map((build): Build => {
      const isUnread = build.number === number && build.state === 'building'
      return isUnread ? { ...build, state: 'retired' } : build
    }),
  }
  const after = withNewBuild(left, version)
  return after === left ? builds : after
}

export function without(builds: Builds, number: number): Builds {
  const left = builds.builds.filter(build => build.number !== number)
  return left.length === builds.builds.length ? builds : { ...builds, builds: left }
}

const root = 'projection'

function keyOf(name: string): readonly string[] {
  return [root, name]
}
