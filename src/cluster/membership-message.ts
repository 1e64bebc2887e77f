// What members say to each other, as MessagePack. Messages of newer and older nodes are read, too.

import { decode } from '../codec/msgpack.js'
import { isNodeId } from '../model/node-id.js'
import type { Member } from './membership.js'
import { readMember } from './read-member.js'

export interface MembershipMessage {
  readonly kind: 'hello' | 'here' | 'bye'
  /** Absent for an observer. */
  readonly member: Member | undefined
  /** The view of the member, in an answer. */
  readonly members?: readonly Member[]
  /** Ids of the members that do not answer it; its own if it does not hear itself. */
  readonly unreachable?: readonly string[]
}

/** Stands for a node that is not a member. */
export const observer: Member = {
  id: '',
  types: [],
  weight: 0,
  version: '',
  incarnation: 0,
  metadata: {},
}

/** Reads a message of any version; `undefined` for anything else, which is ignored. */
export function readMembershipMessage(bytes: Uint8Array): MembershipMessage | undefined {
  try {
    const message = decode(bytes) as Partial<MembershipMessage>
    const { kind, member, members, unreachable } = message
    if (kind !== 'hello' && kind !== 'here' && kind !== 'bye') return undefined
    const view = Array.isArray(members) ? members.map(readMember) : []
    return {
      kind,
      member: readMember(member),
      members: view.filter(other => other !== undefined),
      unreachable: Array.isArray(unreachable) ? unreachable.filter(isNodeId) : [],
    }
  } catch {
    return undefined
  }
}
