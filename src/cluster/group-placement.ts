// Which node owns which partition of a consumer group: computed from the members that participate in the group, by
// the same placement as for actors. Nothing is stored here; a node claims a partition in the group's documents.

import type { Member, Membership } from './membership.js'
import { ownerOf } from './placement.js'

/** The placement of a group's partitions, as one node computes it. */
export interface GroupPlacement {
  isOurs(partition: number): boolean
  /** Whether the recorded owner of a partition runs. A node that joins may not know it yet, and asks it directly. */
  isAlive(owner: { readonly id: string; readonly incarnation: number }): Promise<boolean>
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
    async isAlive({ id, incarnation }) {
      const known = membership.members().find(member => member.id === id)
      if (known !== undefined) return known.incarnation === incarnation
      return (await membership.isReachable?.(id)) === true
    },
    onChange: listener => membership.onChange(listener),
  }
}

/** An earlier word for partition. It must not change: it is part of the hash that determines the owner. */
const partitionOwnerType = 'lane'
