// Requests of other nodes, and of programs that host nothing: commands, and readings of states.

import type { StateOptions, StateReading } from '../actor/definition.js'
import type { ActorHost } from '../actor/actor-host.js'
import type { Router } from '../cluster/router.js'
import type { NodeRequest, RequestHandler } from '../cluster/transport.js'
import { type ActorAddress, checkAddress } from '../model/address.js'
import { definedCauses } from '../model/causes.js'
import type { CommandSender, RedeliveryOptions } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'

export interface RequestPorts {
  readonly host: ActorHost
  /** Absent until the node has joined. */
  router(): Router | undefined
  /** Finds the owner, for requests of programs that do not route. */
  sender(): CommandSender
}

export function requestHandler(ports: RequestPorts): RequestHandler {
  return (request, { timeout }) => handleRequest(ports, request, timeout)
}

async function handleRequest(
  { host, router, sender }: RequestPorts,
  request: NodeRequest,
  timeout: number,
): Promise<unknown> {
  const actor = checkAddress(request.actor)
  if (request.kind === 'state') {
    const { version, freshness } = request
    return readState(host, actor, version, { timeout, freshness })
  }
  const { command, data, commandId, redelivery } = request
  const options: RedeliveryOptions = {
    timeout,
    ...(commandId !== undefined && { commandId }),
    ...(redelivery !== undefined && { redelivery }),
    ...definedCauses(request),
  }
  if (request.hops === undefined) return sender().ask(actor, command, data, options)
  router()?.checkOwner(actor, request.hops, request.gone)
  if (request.isTold === true) return host.tell(actor, command, data, options)
  return host.ask(actor, command, data, options)
}

/** The state now, or as of a version. */
export async function readState(
  host: ActorHost,
  actor: ActorAddress,
  version: Version | undefined,
  options: StateOptions,
): Promise<StateReading> {
  if (version === undefined) return host.state(actor, options)
  if (options.freshness === undefined) return host.stateAt(actor, version, options)
  throw new CairnError(
    'invalid-option',
    `version is ${version} and freshness is given, too: freshness is for the state now. Pass one of the two.`,
  )
}
