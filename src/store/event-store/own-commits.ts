// Commits that this process has just stored, until the server's notices of them arrive: such a
// notice need not be decoded.
//
// Owns one slot for every position modulo `slotCount`. The store fills the slots, the bus reads them.
// OWN-COMMITS-1. A notice belongs to a commit here only if position and commit id are equal, because
//     positions begin again in another stream. The caller of `at` compares the id.
// OWN-COMMITS-2. Nothing waits here. A notice that arrives before its acknowledgement, or whose slot
//     was taken by another commit, is decoded like a notice of another node.
// OWN-COMMITS-3. Nothing is kept while there is no listener.

import { headerOf } from '../../codec/commit-headers.js'
import type { ActorAddress } from '../../model/address.js'
import type { CommitHeader, NewCommit } from '../../model/commit.js'
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

  /** The commit stored by this process at the position, if its slot still holds it (OWN-COMMITS-1). */
  at(position: Position): OwnCommit | undefined {
    const own = this.#slots?.[position % slotCount]
    return own?.position === position ? own : undefined
  }
}
