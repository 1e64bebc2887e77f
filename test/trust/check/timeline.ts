// One actor's commits in the order of the log, and the states that its events lead to.

import type { LogLine } from '../history.js'
import { foldOf, type StoredEvent } from './folds.js'

export type CommitLine = Extract<LogLine, { kind: 'commit' }>
export type MessageLine = Extract<LogLine, { kind: 'message' }>
export type Slice = CommitLine['slices'][number]

export interface CommandSlice {
  readonly commit: CommitLine
  readonly slice: Slice
}

export class Timeline {
  readonly actor: string
  readonly type: string
  readonly commits: readonly CommitLine[]
  /** Versions are 1, 2, 3 …: only then is there a state at each of them. */
  readonly isWhole: boolean
  readonly #events: readonly StoredEvent[]
  readonly #commitOfVersion: readonly CommitLine[]
  /** Of small states, those of all versions so far. */
  readonly #states: unknown[] = []
  #version = 0
  #state: unknown

  constructor(actor: string, commits: readonly CommitLine[]) {
    this.actor = actor
    this.type = typeOf(actor)
    this.commits = commits
    this.#events = commits.flatMap(({ events }) => events)
    this.#commitOfVersion = commits.flatMap(commit => commit.events.map(() => commit))
    this.isWhole = this.#events.every(({ version }, i) => version === i + 1)
    this.#state = foldOf(this.type)?.initial
  }

  get last(): number {
    return this.commits.at(-1)?.lastVersion ?? 0
  }

  get slices(): CommandSlice[] {
    return this.commits.flatMap(commit => commit.slices.map(slice => ({ commit, slice })))
  }

  /** The commit that holds a version, if the timeline is whole. */
  commitOf(version: number): CommitLine | undefined {
    return this.isWhole ? this.#commitOfVersion[version - 1] : undefined
  }

  /** Whether the state at a version is known. */
  hasState(version: number): boolean {
    return this.isWhole && foldOf(this.type) !== undefined && version <= this.last
  }

  /** Large states are cheap only when versions are asked for in ascending order. */
  stateAt(version: number): unknown {
    const fold = foldOf(this.type)
    if (fold === undefined || !this.hasState(version))
      throw new Error(`The state of ${this.actor} at version ${version} is not known.`)
    if (fold.after !== undefined) return fold.after(this.#events.slice(0, version))
    if (version < this.#version) {
      if (fold.isSmall === true) return this.#states[version]
      this.#version = 0
      this.#state = fold.initial
    }
    while (this.#version < version) {
      if (fold.isSmall === true) this.#states[this.#version] = this.#state
      this.#state = fold.evolve(this.#state, this.#events[this.#version++]!)
    }
    return this.#state
  }
}

export function typeOf(actor: string): string {
  return actor.slice(0, actor.indexOf('/'))
}

export function idOf(actor: string): string {
  return actor.slice(actor.indexOf('/') + 1)
}

/** The events of one command of a commit. */
export function eventsOf({ commit, slice }: CommandSlice): readonly StoredEvent[] {
  return commit.events.filter(
    ({ version }) => version >= slice.firstVersion && version <= slice.lastVersion,
  )
}
