// What recovery and definitions know of snapshots.

import type { ActorAddress } from '../model/address.js'
import type { Behavior } from '../model/behavior.js'
import type { InlineState } from '../model/commit.js'
import type { Snapshot } from '../store/snapshots/snapshots.js'
import type { Skips } from './skips.js'

/** Events between two snapshots of an actor, unless its type says otherwise. */
export const snapshotEveryDefault = 1_000

/** A snapshot as recovery uses it. */
export interface StoredState extends Pick<Snapshot, 'version' | 'position' | 'commitId'> {
  readonly state: InlineState
}

/** Whose snapshot is wanted, and by which behavior and skips. */
export interface SnapshotQuery {
  readonly actor: ActorAddress
  readonly behavior: Pick<Behavior, 'version' | 'migrateState'>
  readonly skips?: Skips | undefined
}

/** Finds snapshots. */
export interface SnapshotSource {
  /** The snapshot that this behavior can use. Never rejects, unless the signal fires. */
  find(query: SnapshotQuery, signal?: AbortSignal): Promise<StoredState | undefined>
}
