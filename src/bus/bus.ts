// The bus port: notices of stored commits. Every implementation keeps these promises, which
// one contract suite checks (test/contract/bus.ts).
//
// BUS-1. A notice follows a durable commit, never a conflict; the notices of one actor arrive in order.
// BUS-2. Subscribing resolves once the subscription is in force: each later commit has a notice.
// BUS-3. If notices may have been missed, `onInterrupted` is called before the next notice.
// BUS-4. A malformed notice is counted and dropped. A handler that throws is counted and
//     reported, and the other handlers still receive the notice.
// BUS-5. A subscription receives the notices of its own namespace only. Receiving those of all is another method.
// BUS-6. With a filter, a subscription receives exactly the notices that match it. Where a server sends them, it sends no others.

import type { ActorAddress } from '../model/address.js'
import type { CommitStored, EventStored } from './notice.js'

/** Why notices may have been missed. */
export type InterruptionReason = 'gap' | 'disconnected' | 'reconnected'

export interface SubscribeOptions {
  /** BUS-6. Only notices of this actor type. Default: all. */
  readonly type?: string
  /** BUS-6. Only notices of this actor. Default: all. */
  readonly actor?: ActorAddress
  /** Ends the subscription, or the attempt to subscribe, which throws `aborted` then. */
  readonly signal?: AbortSignal
  /** BUS-3. */
  readonly onInterrupted?: (reason: InterruptionReason) => void
  /** BUS-4. Called with what a handler threw. Default: errors are only counted. */
  readonly onHandlerError?: (error: unknown) => void
}

export interface SubscriptionStats {
  /** Commits whose notice was received. */
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
   * Throws `invalid-namespace`, `invalid-actor-type`, `invalid-actor-id`, `invalid-option`, `store-unreachable`, `unauthorized`
   * or `aborted`.
   */
  subscribeToEventStored(
    namespace: string,
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /** Calls `handler` once per commit instead of once per event. */
  subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  /**
   * Calls `handler` for the events of every namespace that the credentials permit. For operators'
   * tools: no other subscription crosses namespaces.
   */
  subscribeAcrossNamespaces(
    handler: (notice: EventStored) => void,
    options?: SubscribeOptions,
  ): Promise<Subscription>

  close(): Promise<void>
}
