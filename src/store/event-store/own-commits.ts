// Commits that this process has just stored, until the notices of them are due: such a commit need not be
// read or decoded to be announced.
//
// Owns one slot for every position modulo `slotCount`. The store fills the slots, the bus reads them.
// OWN-COMMITS-1. A notice belongs to a commit here only if position and commit id are equal, because
//     positions begin again in another stream. The caller of `at` compares the id.
// OWN-COMMITS-2. Nothing waits here. A notice that arrives before its acknowledgement, or whose slot
//     was taken by another commit, is decoded like a notice of another node.
// OWN-COMMITS-3. Nothing is kept while there is no listener.

import { headerOf } from '../../codec/commit-headers.js'
import type { ActorAddress } from '../../model/address.js'
import type { CommitHeader, LogRecord, NewCommit } from '../../model/commit.js'
import type { Position } from '../../model/version.js'

/** The content of a commit's notice. */
export interface OwnCommit {
  readonly namespace: string
  readonly actor: ActorAddress
  readonly position: Position
  readonly header: CommitHeader
  /** Position of the actor's previous record; 0 for none. */
  readonly previousPosition: Position
}

/** A store whose log can be followed without reading what this process has stored. */
export interface FollowsOwnCommits {
  /**
   * As `follow` of the event store, in chunks of at least one; of commits that this process has stored, only the
   * content of their notices.
   */
  followNotices(options: {
    readonly after: Position
    readonly signal: AbortSignal
  }): AsyncIterable<readonly (OwnCommit | LogRecord)[]>
}

/** At most a few hundred commits are between their acknowledgement and their notice. */
const slotCount = 1_024

export class OwnCommits {
  readonly namespace: string
  #slots: (OwnCommit | undefined)[] | undefined
  #listeners = 0

  constructor(namespace: string) {
    this.namespace = namespace
  }

  /** Registers a listener to notices; call the returned function once to remove it. */
  listen(): () => void {
    this.#listeners++
    this.#slots ??= Array.from({ length: slotCount })
    return () => {
      if (--this.#listeners === 0) this.#slots = undefined // OWN-COMMITS-3
    }
  }

  /** Records a stored commit; `previousPosition` is the position that it expected. */
  stored(commit: NewCommit, position: Position, previousPosition: Position): void {
    if (this.#slots === undefined) return
    const header = headerOf(commit)
    const { namespace } = this
    const { type, id } = commit.actor
    const own = { namespace, actor: { type, id }, position, header, previousPosition }
    this.#slots[position % slotCount] = own
  }

  /** Commits of this process that follow `after` without a gap, up to `limit` (OWN-COMMITS-1). */
  after(after: Position, limit: number): OwnCommit[] {
    const found: OwnCommit[] = []
    while (found.length < limit) {
      const own = this.at(after + found.length + 1)
      if (own === undefined) break
      found.push(own)
    }
    return found
  }

  /** The commit stored by this process at the position, if its slot still holds it (OWN-COMMITS-1). */
  at(position: Position): OwnCommit | undefined {
    const own = this.#slots?.[position % slotCount]
    return own?.position === position ? own : undefined
  }
}
