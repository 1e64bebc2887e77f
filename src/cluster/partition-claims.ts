// Which lanes of a group are this node's: by the same placement as actors, over the members
// that take part in the group.

import type { Member, Membership } from './membership.js'
import { ownerOf } from './placement.js'

/** One node's view of who reads the lanes of a group. */
export interface MemberPartitionClaims {
  isOurs(lane: number): boolean
  /** A node that joins meets owners before it has heard of them: those are asked for. */
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
    isOurs: lane =>
      ownerOf({ type: partitionOwnerType, id: `${group}/${lane}` }, candidatesNow())
        ?.id === nodeId,
    async isAlive({ id, incarnation }) {
      const known = membership.members().find(member => member.id === id)
      if (known !== undefined) return known.incarnation === incarnation
      return (await membership.isReachable?.(id)) === true
    },
    onChange: listener => membership.onChange(listener),
  }
}

const partitionOwnerType = 'lane'
