// The checkpoints of a group over all of its partitions, as they are stored.

import type { Position } from '../../model/version.js'
import type { DocumentKey, Documents } from '../../store/documents/documents.js'
import {
  decodePartitionState,
  type DeferredKey,
  initialPartitionState,
  isDamaged,
  type PartitionState,
} from './partition-state.js'

export interface GroupProgress {
  /** By partition. */
  readonly floors: readonly Position[]
  readonly deferred: readonly DeferredKey[]
}

/** @param start where partitions begin that have no checkpoint */
export async function readProgress(
  {
    documents,
    partitions,
  }: { readonly documents: Documents; readonly partitions: number },
  path: DocumentKey,
  signal: AbortSignal | undefined,
  start: Position = 0,
): Promise<GroupProgress> {
  const floors: Position[] = Array.from({ length: partitions }, () => start)
  const deferred: DeferredKey[] = []
  for (const key of await documents.list(path, signal && { signal })) {
    const found = await documents.get(key)
    if (found === undefined) continue
    const state = readState(found.value, key, start)
    floors[Number(key.at(-1))] = state.floor
    deferred.push(...state.deferred)
  }
  return { floors, deferred: deferred.toSorted((a, b) => a.position - b.position) }
}

/** A damaged document counts as none, as for the node that takes up its partition. */
function readState(bytes: Uint8Array, key: DocumentKey, start: Position): PartitionState {
  try {
    return decodePartitionState(bytes, key.join('.'))
  } catch (error) {
    if (!isDamaged(error)) throw error
    return { ...initialPartitionState, floor: start }
  }
}
