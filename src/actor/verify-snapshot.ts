// The snapshot of an actor, as verification reads it: what it says of itself before the history is read, and its state once the
// history has come to its commit. So a snapshot that is written meanwhile is not held against an earlier history.

import type { ActorAddress } from '../model/address.js'
import type { InlineState, StoredCommit } from '../model/commit.js'
import { messageOf } from '../model/errors.js'
import type { Version } from '../model/version.js'
import type { Manifest, Snapshots } from '../store/snapshots/snapshots.js'
import { inlineStateOf } from './snapshots.js'

/** Why a snapshot is not used, although there is one. */
export interface SnapshotFault {
  /** The version that it says it has; absent if it says nothing. */
  readonly version?: Version
  readonly reason: string
}

export class SnapshotToVerify {
  readonly #snapshots: Pick<Snapshots, 'readBy'>
  readonly #actor: ActorAddress
  readonly #manifest: Manifest
  readonly #signal: AbortSignal
  #isMet = false
  #reason: string | undefined

  private constructor(
    snapshots: Pick<Snapshots, 'readBy'>,
    actor: ActorAddress,
    manifest: Manifest,
    signal: AbortSignal,
  ) {
    this.#snapshots = snapshots
    this.#actor = actor
    this.#manifest = manifest
    this.#signal = signal
  }

  /** The snapshot of an actor, or what is wrong with it; `undefined` for none. Throws the errors of the store. */
  static async of(
    snapshots: Pick<Snapshots, 'manifest' | 'readBy'>,
    actor: ActorAddress,
    signal: AbortSignal,
  ): Promise<SnapshotToVerify | SnapshotFault | undefined> {
    const manifest = await snapshots.manifest(actor, signal)
    if (manifest === undefined) return undefined
    if (typeof manifest === 'string') return { reason: manifest }
    return new SnapshotToVerify(snapshots, actor, manifest, signal)
  }

  /** Bytes of its state in MessagePack. */
  get bytes(): number {
    return this.#manifest.bytes
  }

  /** The state, if the commit is the one that the snapshot names, and the snapshot is whole. Throws the errors of the store. */
  async stateAt({ id, lastVersion }: StoredCommit): Promise<InlineState | undefined> {
    const { version, commitId } = this.#manifest
    if (lastVersion !== version || id !== commitId) return undefined
    this.#isMet = true
    const found = await this.#snapshots.readBy(this.#actor, this.#manifest, this.#signal)
    if (typeof found === 'object')
      try {
        return inlineStateOf(found)
      } catch (error) {
        this.#reason = messageOf(error)
      }
    else this.#reason = found
    return undefined
  }

  /** What is wrong with it, once the whole history was read. */
  fault(): SnapshotFault | undefined {
    const { version, commitId } = this.#manifest
    const reason = this.#isMet
      ? this.#reason
      : `it names commit ${commitId}, which this history does not have at that version`
    return reason === undefined ? undefined : { version, reason }
  }
}
