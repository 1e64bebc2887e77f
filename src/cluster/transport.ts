// The transport port: requests to a node that hosts an actor type.
//
// TRANSPORT-1. A request goes to one node that serves its actor type, or fails with `no-node`.
// TRANSPORT-2. A request contains the time left; a node does not start one that has expired.
// TRANSPORT-3. An error is sent as its code, message and details, and thrown again as the same error.
// TRANSPORT-4. After `answer-lost`, `outcome-unknown` and `aborted` the request may have been handled, or may
//     be later. Every other error was answered by the node, or nothing was sent.

import type { ActorAddress } from '../model/address.js'
import type { Causes } from '../model/commit.js'
import type { Freshness } from '../model/freshness.js'
import type { Redelivery } from '../model/redelivery.js'
import type { Version } from '../model/version.js'

export interface AskRequest extends Causes {
  readonly kind: 'ask'
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
  readonly commandId?: string
  /** How often it has been redirected; absent if the sender does not route. */
  readonly hops?: number
  /** Nodes that the sender does not reach. */
  readonly gone?: readonly string[]
  /** What the sender knows about earlier deliveries of it. */
  readonly redelivery?: Redelivery
  /** The behavior version that the actor needs, if the sender knows that it is later than 1. */
  readonly behaviorVersion?: number
  /** The version that the actor must be at. */
  readonly expectedVersion?: Version
  /** The sender waits only until the mailbox accepts it, not for the outcome. */
  readonly isTold?: boolean
}

/** An actor's state, now or as of a version. */
export interface StateRequest {
  readonly kind: 'state'
  readonly actor: ActorAddress
  readonly version?: number
  /** Without a version: how fresh it must be. Default `'latest'`, the only one that an older node supports. */
  readonly freshness?: Freshness
}

/** Asks a node to read actors into its memory: the sender leaves, and the node owns them then (handover.ts). */
export interface WarmRequest {
  readonly kind: 'warm'
  /** The first of them. */
  readonly actor: ActorAddress
  /** At most `warmActorsMax`. */
  readonly actors: readonly ActorAddress[]
}

/** Asks a node what it knows of the actor's type: which commands and events there are, and which have a schema. */
export interface DescribeRequest {
  readonly kind: 'describe'
  readonly actor: ActorAddress
}

/** Asks a node whether it would take a command: whether it knows the name, and its schema takes the data. */
export interface CheckRequest {
  readonly kind: 'check'
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
}

export const warmActorsMax = 1_000

export type NodeRequest =
  AskRequest | StateRequest | WarmRequest | DescribeRequest | CheckRequest

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for the answer. Default 10,000. */
  readonly timeout?: number | undefined
  /** Id of the target node. Default: any that serves the actor's type. */
  readonly to?: string
}

/** Handles a request on this node. What it throws is sent to the caller. */
export type RequestHandler = (
  request: NodeRequest,
  options: { readonly timeout: number },
) => Promise<unknown>

export interface Serving {
  /** Accepts no new request, and resolves once the active ones are answered. */
  stop(): Promise<void>
}

export interface Transport {
  /** The most requests to one node that may be in flight. Default 2,048. */
  readonly windowMax?: number

  /** Serves requests for actors of these types. Resolves once requests can arrive. */
  serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving>

  /**
   * Sends a request to a node that serves the actor's type and resolves with its answer.
   * Throws `no-node` if no node received it, `answer-lost` if the connection was lost
   * before the answer, `outcome-unknown` if a command was not answered in time, `deadline-exceeded` if a read was
   * not, `aborted`, or the error that the node answered with.
   */
  request(request: NodeRequest, options?: RequestOptions): Promise<unknown>

  close(): Promise<void>
}

/** Milliseconds. */
export const requestTimeoutDefault = 10_000
