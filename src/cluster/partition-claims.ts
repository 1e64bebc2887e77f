// Assigns the partitions of a consumer group to nodes: the same placement as for actors, among the members that
// participate in the group.

import type { Member, Membership } from './membership.js'
import { ownerOf } from './placement.js'

/** One node's view of the owners of a group's partitions. */
export interface MemberPartitionClaims {
  isOurs(partition: number): boolean
  /** Whether the owner is running. A node that joins may not know an owner yet, and then probes it. */
  isAlive(owner: { readonly id: string; readonly incarnation: number }): Promise<boolean>
  onChange(listener: () => void): () => void
}

export function partitionClaims(
  membership: Membership,
  nodeId: string,
  group: string,
): MemberPartitionClaims {
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

/** Must not change: it is part of the hash that determines the owner. */
const partitionOwnerType = 'lane'
