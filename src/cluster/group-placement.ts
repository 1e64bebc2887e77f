// Which node owns which partition of a consumer group: computed from the members that participate in the group, by
// the same placement as for actors. Nothing is stored here; a node claims a partition in the group's documents.

import type { OwnerFate } from '../model/partition.js'
import type { Member, Membership } from './membership.js'
import { ownerOf } from './placement.js'

/** The placement of a group's partitions, as one node computes it. */
export interface GroupPlacement {
  isOurs(partition: number): boolean
  /** What has become of the recorded owner of a partition. A node that joins may not know it yet, and asks it directly. */
  fateOf(owner: { readonly id: string; readonly incarnation: number }): Promise<OwnerFate>
  onChange(listener: () => void): () => void
}

export function groupPlacement(
  membership: Membership,
  nodeId: string,
  group: string,
): GroupPlacement {
  let members: readonly Member[] | undefined
  let candidates: readonly Member[] = []
  const candidatesNow = () => {
    const now = membership.members()
    if (now !== members) {
      members = now
      candidates = now
        .filter(({ groups = [] }) => groups.includes(group))
        .map(member => ({ ...member, types: [partitionOwnerType] }))
    }
    return candidates
  }
  return {
    isOurs: partition =>
      ownerOf({ type: partitionOwnerType, id: `${group}/${partition}` }, candidatesNow())
        ?.id === nodeId,
    async fateOf(owner) {
      const { id, incarnation } = owner
      const known = membership.members().find(member => member.id === id)
      const isReached =
        known === undefined
          ? (await membership.isReachable?.(id)) === true
          : known.incarnation === incarnation
      if (isReached) return 'reached'
      return membership.isRunning?.(owner) === true ? 'apart' : 'ended'
    },
    onChange: listener => membership.onChange(listener),
  }
}

/** An earlier word for partition. It must not change: it is part of the hash that determines the owner. */
const partitionOwnerType = 'lane'
