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
  /** How long messages wait before it reads them (OWN-LINK-1), ms. Default 0. */
  readonly lag?: number
  /** When it was sent, by the clock of the sender, which gets it back. */
  readonly sentAt?: number
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
export function readMembershipMessage(
  bytes: Uint8Array,
): Required<MembershipMessage> | undefined {
  try {
    const message = decode(bytes) as Partial<MembershipMessage>
    const { kind, member, members, unreachable, lag, sentAt } = message
    if (kind !== 'hello' && kind !== 'here' && kind !== 'bye') return undefined
    const view = Array.isArray(members) ? members.map(readMember) : []
    return {
      kind,
      member: readMember(member),
      members: view.filter(other => other !== undefined),
      unreachable: Array.isArray(unreachable) ? unreachable.filter(isNodeId) : [],
      lag: isTime(lag) ? lag : 0,
      sentAt: isTime(sentAt) ? sentAt : 0,
    }
  } catch {
    return undefined
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
