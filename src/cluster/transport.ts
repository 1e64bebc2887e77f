// The transport port: how another process reaches a node that hosts an actor type.
//
// T1. A request goes to one node that serves its actor type, or fails with `no-node`.
// T2. The time left travels with the request; a node does not begin one that has expired.
// T3. An error crosses as its code, message and details, and is thrown as what it was.

import type { ActorAddress } from '../model/address.js'
import type { Causes } from '../model/commit.js'
import type { Freshness } from '../model/freshness.js'
import type { TimerFiring } from '../model/timer.js'
import type { Position, Version } from '../model/version.js'

export interface AskRequest extends Causes {
  readonly kind: 'ask'
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
  readonly commandId?: string
  /** How often it has been passed on; absent from those who do not route. */
  readonly hops?: number
  /** Nodes at which nobody was found on the way here. */
  readonly gone?: readonly string[]
  /** When it was first given away, ms since 1970, where it was kept since. */
  readonly sentAt?: number
  /** The actor had not carried it out at this version, where the sender knows. */
  readonly since?: Version
  /** The position of the commit that says it, where one does. */
  readonly saidAt?: Position
  /** The timer whose firing it is. */
  readonly firing?: TimerFiring
  /** The sender does not wait for the outcome, only for the mailbox to take it. */
  readonly isTold?: boolean
}

/** An actor's state, now or as of a version. */
export interface StateRequest {
  readonly kind: 'state'
  readonly actor: ActorAddress
  readonly version?: number
  /** Without a version: how fresh it must be. Default `'latest'`; an older node knows no other. */
  readonly freshness?: Freshness
}

export type NodeRequest = AskRequest | StateRequest

export interface RequestOptions {
  readonly signal?: AbortSignal
  /** Milliseconds for the answer. Default 10,000. */
  readonly timeout?: number
  /** Id of the node it is for. Default: any that serves the actor's type. */
  readonly to?: string
}

/** Carries out a request on this node; what it throws goes back to the caller. */
export type RequestHandler = (
  request: NodeRequest,
  options: { readonly timeout: number },
) => Promise<unknown>

export interface Serving {
  /** Takes no new request, and resolves when those at work are answered. */
  stop(): Promise<void>
}

export interface Transport {
  /** Serves requests for actors of these types. Resolves once it is in force. */
  serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving>

  /**
   * Sends a request to a node that serves the actor's type and resolves with its answer.
   * Throws `no-node` when nobody was there to take it, `answer-lost` when the connection broke
   * before the answer, `deadline-exceeded`, `aborted`, or the error the node answered with.
   */
  request(request: NodeRequest, options?: RequestOptions): Promise<unknown>

  close(): Promise<void>
}

export const requestTimeoutDefault = 10_000
