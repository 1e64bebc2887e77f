// The membership port: which nodes of a namespace are there to be given work.
//
// Views may differ between nodes for a while, and be wrong: that costs a redirect or a
// conflict, never a fork, since the store judges every commit.
//
// M1. `members()` is what this node believes now; every change of it is told to listeners.
// M2. A node that leaves is gone at once for all that hear it.
// M3. A dead process is gone once a request finds nobody there, or when it has been silent
//     and is found to be. One that is merely busy is not dead: see `nats-membership.ts`.

import type { Candidate } from './placement.js'

/** A node as the others see it. */
export interface Member extends Candidate {
  /** Version of the package it runs. */
  readonly version: string
  /** When it started, ms since 1970: tells a restarted node from its predecessor. */
  readonly incarnation: number
  /** Groups whose lanes it reads, by name. Default: none. */
  readonly groups?: readonly string[]
  /** Whatever its operator wants the others to know; no addresses, no secrets. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Whether a member is there to be given work; who only looks on is none of the members. */
export function isParticipant({ types, groups = [] }: Member): boolean {
  return types.length > 0 || groups.length > 0
}

export interface MembershipChange {
  readonly joined: readonly Member[]
  readonly left: readonly Member[]
  /** Of those that left: who did not say so, and answers nothing any more. */
  readonly dead: readonly Member[]
}

export interface Membership {
  /** The living members, this node among them while it takes part; sorted by id. */
  members(): readonly Member[]
  /** Calls back after each change; the returned function ends that. */
  onChange(listener: (change: MembershipChange) => void): () => void
  /** A request found nobody at this node: it is gone until it says otherwise. */
  suspect(id: string): void
  /**
   * Whether a node of this id is there, though it may not have been heard of yet. Absent where all
   * members are known from the moment of joining.
   */
  isReachable?(id: string): Promise<boolean>
  /** Tells the others that this node takes no more work; it still sees them. */
  leave(): Promise<void>
  close(): Promise<void>
}
