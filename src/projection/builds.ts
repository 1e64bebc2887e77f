// The stored list of a projection's builds: one small document, changed by compare-and-set.
//
// A build is one run of a projection's definition over the log, with its own rows and its own checkpoint.
// BUILDS-1. Readers of a version get its newest live build; where it has none, the newest live build of any version.
// BUILDS-2. A build is retired only when another live build can be read instead. Its rows are dropped after that,
//     and its entry is removed last.
// BUILDS-3. The number of a build is never used twice.

import { decode, encode } from '../codec/msgpack.js'
import type { Documents } from '../store/documents/documents.js'
import { CairnError } from '../model/errors.js'
import { isCount } from '../model/version.js'

export type BuildState = 'building' | 'live' | 'retired'

export interface Build {
  /** The definition's version. */
  readonly version: number
  readonly number: number
  readonly state: BuildState
}

export interface Builds {
  /** The number of the next build. */
  readonly next: number
  readonly builds: readonly Build[]
}

export const noBuilds: Builds = { next: 1, builds: [] }

const attemptsMax = 100

/** The name of a build's read model. */
export function modelOf(projection: string, { number }: Pick<Build, 'number'>): string {
  return `${projection}-${number}`
}

/** The build that readers of a version get (BUILDS-1); `undefined` when no build is live. */
export function served({ builds }: Builds, version: number): Build | undefined {
  const live = builds
    .filter(({ state }) => state === 'live')
    .toSorted((a, b) => b.number - a.number)
  return live.find(build => build.version === version) ?? live[0]
}

/** @param onDamaged called if the list is damaged: it counts as none */
export async function readBuilds(
  documents: Documents,
  name: string,
  onDamaged: () => void = () => {},
): Promise<Builds> {
  const found = await documents.get(keyOf(name))
  if (found === undefined) return noBuilds
  if (parseBuilds(found.value) === undefined) onDamaged()
  return decodeBuilds(found.value)
}

/** The names of all projections that have builds. */
export async function projectionNames(
  documents: Documents,
  options?: { readonly signal?: AbortSignal },
): Promise<string[]> {
  const keys = await documents.list([root], options)
  return keys.map(([, name]) => name!).toSorted()
}

/**
 * Changes the document by compare-and-set, again after each conflict. A change that returns its argument writes
 * nothing. Throws `contention` after 100 conflicts in a row.
 */
export async function changeBuilds(
  documents: Documents,
  name: string,
  change: (builds: Builds) => Builds,
): Promise<Builds> {
  const key = keyOf(name)
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const found = await documents.get(key)
    const before = found === undefined ? noBuilds : decodeBuilds(found.value)
    const after = change(before)
    if (after === before) return before
    const put = await documents.put(key, encode(after), found?.revision ?? 0)
    if (put !== 'conflict') return after
  }
  throw new CairnError(
    'contention',
    `The builds of projection ${name} could not be written: ${attemptsMax} writes in a row met a newer revision. ` +
      'Try again.',
  )
}

/** Adds a build of a version, unless one is being built (BUILDS-3). */
export function withNewBuild(builds: Builds, version: number): Builds {
  const isUnderWay = builds.builds.some(
    build => build.version === version && build.state === 'building',
  )
  if (isUnderWay) return builds
  const build: Build = { version, number: builds.next, state: 'building' }
  return { ...builds, next: builds.next + 1, builds: [...builds.builds, build] }
}

/** Makes a build live, and retires the older builds of its version (BUILDS-2). */
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

/** Retires the builds of a version that no node builds any more, where another version is live (BUILDS-2). */
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

/** Starts a new build because this one is wrong. A build that nobody reads yet is retired at once. */
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

/** A damaged list counts as none; the number of its next build is one that none has had (BUILDS-3). */
function decodeBuilds(bytes: Uint8Array): Builds {
  return parseBuilds(bytes) ?? { next: Date.now(), builds: [] }
}

/** `undefined` for a list that is damaged. */
function parseBuilds(bytes: Uint8Array): Builds | undefined {
  try {
    const stored = decode(bytes) as Partial<Builds> | null
    const isList = isCount(stored?.next) && Array.isArray(stored.builds)
    return isList ? (stored as Builds) : undefined
  } catch {
    return undefined // It is no MessagePack.
  }
}

/** Throws if the document is damaged. */
export function checkBuildsDocument(bytes: Uint8Array): void {
  if (parseBuilds(bytes) === undefined)
    throw new CairnError('storage-failed', 'It has not the form of a list of builds.')
}

const root = 'projection'

function keyOf(name: string): readonly string[] {
  return [root, name]
}
