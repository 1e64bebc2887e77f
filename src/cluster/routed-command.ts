// A command on its way, and what the ends of its attempts say.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Rejection } from '../model/behavior.js'
import type { RedeliveryOptions } from '../model/command-sender.js'
import { isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'

/** A command to send to the owner of its actor. */
export interface RoutedCommand<Outcome> {
  readonly actor: ActorAddress
  readonly commandType: string
  readonly data: unknown
  readonly options: RedeliveryOptions
  /** Handles it on this node. */
  runLocally(bounds: RedeliveryOptions): Promise<Outcome>
  readonly isTold: boolean
  /** How often it was redirected before it reached this node. */
  readonly hops: number
}

export function describe({ commandType, actor }: RoutedCommand<unknown>): string {
  return `command ${show(commandType)} to ${formatAddress(actor)}`
}

/** ROUTER-6. The node that a command is redirected to by this node's own actor. */
export function redirectOf(error: unknown): string | undefined {
  if (!isCairnError(error, 'not-owner')) return undefined
  const { owner } = error.details
  return typeof owner === 'string' ? owner : undefined
}

/** Whether the wait for an answer ended since the node died, or is not reached any more. */
export function hasLeft(error: unknown): boolean {
  return isCairnError(error, 'answer-lost') && error.details.left !== undefined
}

export function isRejection(
  outcome: unknown,
): outcome is { readonly rejection: Rejection } {
  return typeof outcome === 'object' && outcome !== null && 'rejection' in outcome
}
