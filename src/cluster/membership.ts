// The membership port: the nodes of a namespace that accept work.
//
// The views of nodes may differ for a while, and may be wrong: that costs a redirect or a
// conflict, never a fork, since the store checks every commit.
//
// MEMBERSHIP-1. `members()` is this node's current view; listeners are called on every change of it.
// MEMBERSHIP-2. A node that leaves is removed at once from the view of each node that receives its message.
// MEMBERSHIP-3. A process that is dead, or that requests of others do not reach, is removed in bounded time, although its
//     connection may exist and its heartbeats may arrive. A busy process is not dead: see `nats-membership.ts`.
// MEMBERSHIP-4. When joining has resolved, the view holds every node that had joined before, unless all of them are too
//     busy to answer within a second.

import type { Candidate } from './placement.js'

/** A node, as it announces itself to the others. */
export interface Member extends Candidate {
  /** Version of the package that it runs. */
  readonly version: string
  /** The behavior version of each type that it hosts. Default, also for a type that is missing: 1. */
  readonly behaviors?: Readonly<Record<string, number>>
  /** The latest wire version that it reads. */
  readonly wire?: number
  /** When it started, ms since 1970. Distinguishes a restarted node from its predecessor. */
  readonly incarnation: number
  /** Names of the consumer groups whose partitions it reads. Default: none. */
  readonly groups?: readonly string[]
  /** Values that the operator publishes to the other nodes. Must not contain addresses or secrets. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Whether a node accepts work. An observer does not, and is not a member. */
export function isParticipant({ types, groups = [] }: Member): boolean {
  return types.length > 0 || groups.length > 0
}

export interface MembershipChange {
  readonly joined: readonly Member[]
  readonly left: readonly Member[]
  /** Those that no longer answer and did not announce it, of `left` or of earlier changes. */
  readonly dead: readonly Member[]
}

export interface Membership {
  /** The current members, sorted by id. Includes this node while it participates. */
  members(): readonly Member[]
  /** Calls `listener` after each change. The returned function removes it. */
  onChange(listener: (change: MembershipChange) => void): () => void
  /** Removes a node that a request did not reach, until it is heard from again, and reached. */
  suspect(id: string): void
  /** Ids of members whose requests and answers do not pass to and from this node. Absent if that is not known. */
  unreachable?(): readonly string[]
  /**
   * Looks for nodes that host a type and are missing in the view, and adds them. Resolves with false if there are none,
   * within about a second. Absent if the view is never behind.
   */
  lookFor?(type: string): Promise<boolean>
  /**
   * Whether a node with this id is running, even if this node does not know it yet. Absent if all
   * members are known once `join` resolves.
   */
  isReachable?(id: string): Promise<boolean>
  /**
   * Whether the process of a node sends heartbeats, although requests may not reach it. Absent if `members` holds all
   * processes that run.
   */
  isRunning?(node: Pick<Member, 'id' | 'incarnation'>): boolean
  /** Announces that this node accepts no more work. It still sees the other members. */
  leave(): Promise<void>
  close(): Promise<void>
}
