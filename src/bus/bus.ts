// The bus port: hearing of what is stored. Every implementation keeps these promises,
// proved by one contract suite (test/contract/bus.ts).
//
// B1. A notice follows a durable commit, never a conflict; notices of one actor come in order.
// B2. A subscription resolves once it is in force: what is stored after that is noticed.
// B3. Where notices may have been missed, `onInterrupted` is told before the next notice.
// B4. A malformed notice is counted and dropped; a handler that throws is counted and
//     reported, and the others still get theirs.
// B5. A subscription hears of its own namespace only. Hearing of all is another method.

import type { CommitStored, EventStored } from './notice.js'

/** Why notices may have been missed. */
export type InterruptionReason = 'gap' | 'disconnected' | 'reconnected'

export interface SubscribeOptions {
  /** Ends the subscription, or the attempt to subscribe, which throws `aborted` then. */
  readonly signal?: AbortSignal
  /** B3. */
  readonly onInterrupted?: (reason: InterruptionReason) => void
  /** B4: what a handler threw. Default: counted only. */
  readonly onHandlerError?: (error: unknown) => void
}

export interface SubscriptionStats {
  /** Commits noticed. */
  readonly commits: number
  readonly malformed: number
  readonly interruptions: number
  readonly handlerErrors: number
}

export interface Subscription {
  stats(): SubscriptionStats
  unsubscribe(): Promise<void>
}

export interface NoticeBus {
  /**
   * Calls `handler` for each event stored in the namespace from now on.
   * Throws `invalid-namespace`, `store-unreachable`, `unauthorized` or `aborted`.
   */
  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /** The same, once per commit. */
  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /**
   * Hears of the events of every namespace that these credentials may hear of. A capability
   * of its own, for operators' tools: no ordinary subscription crosses namespaces.
   */
  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  close(): Promise<void>
}
