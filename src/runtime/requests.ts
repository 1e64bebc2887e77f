// Requests of other nodes, and of programs that host nothing: commands, and readings of states.

import { callTimeoutDefault } from '../actor/call.js'
import type { StateOptions, StateReading } from '../actor/definition.js'
import type { ActorHost } from '../actor/actor-host.js'
import { describeType } from '../actor/describe.js'
import { checkKnownCommand } from '../actor/effects.js'
import type { DefinitionRegistry } from '../actor/registry.js'
import { checkCommandData } from '../actor/schemas.js'
import { isRedirect } from '../actor/version-guard.js'
import type { Router } from '../cluster/router.js'
import type {
  NodeRequest,
  RequestHandler,
  StateRequest,
  Transport,
} from '../cluster/transport.js'
import { type ActorAddress, checkAddress } from '../model/address.js'
import { definedCauses } from '../model/causes.js'
import { defined } from '../model/defined.js'
import type { CommandSender, RedeliveryOptions } from '../model/command-sender.js'
import { CairnError } from '../model/errors.js'
import type { Version } from '../model/version.js'
import type { EventStore } from '../store/event-store/event-store.js'

export interface RequestPorts {
  readonly host: ActorHost
  readonly definitions: DefinitionRegistry
  /** Absent until the node has joined. */
  router(): Router | undefined
  /** Finds the owner, for requests of programs that do not route. */
  sender(): CommandSender
  readonly read: ReadState
}

export function requestHandler(ports: RequestPorts): RequestHandler {
  return (request, { timeout }) => handleRequest(ports, request, timeout)
}

async function handleRequest(
  { host, definitions, router, sender, read }: RequestPorts,
  request: NodeRequest,
  timeout: number,
): Promise<unknown> {
  const actor = checkAddress(request.actor)
  if (request.kind === 'warm') return host.warm(request.actors, { timeout })
  if (request.kind === 'state') {
    const { version, freshness } = request
    return read(actor, version, { timeout, freshness })
  }
  if (request.kind === 'describe') return describeType(definitions.get(actor.type))
  if (request.kind === 'check') {
    const definition = definitions.get(actor.type)
    checkKnownCommand(definition, request.command)
    checkCommandData(definition.schemas, actor, request.command, request.data)
    return undefined
  }
  const { command, data, commandId, redelivery, expectedVersion } = request
  const options: RedeliveryOptions = {
    timeout,
    ...(commandId !== undefined && { commandId }),
    ...(redelivery !== undefined && { redelivery }),
    ...(expectedVersion !== undefined && { expectedVersion }),
    ...definedCauses(request),
  }
  if (request.hops === undefined) return sender().ask(actor, command, data, options)
  const { hops, gone, behaviorVersion } = request
  const routing = router()
  const isForAnother = routing?.checkOwner(actor, hops, gone, behaviorVersion) === true
  const target = isForAnother ? routing.relay(hops) : host
  if (request.isTold === true) return target.tell(actor, command, data, options)
  return target.ask(actor, command, data, options)
}

/** Reads the state now, or as of a version. */
export type ReadState = (
  actor: ActorAddress,
  version: Version | undefined,
  options: StateOptions,
) => Promise<StateReading>

/** A reading as other nodes answer it: earlier builds give no position. */
type AnyReading = Omit<StateReading, 'position'> & Partial<Pick<StateReading, 'position'>>

/** Reads states on this node, or on the node that the actor is left to as it has a later behavior version. */
export function stateReader(
  host: Pick<ActorHost, 'state' | 'stateAt'>,
  transport: Pick<Transport, 'request'>,
  store: Pick<EventStore, 'lastPosition'>,
): ReadState {
  return async (actor, version, options) => {
    const startedAt = performance.now()
    try {
      return await readState(host, actor, version, options)
    } catch (error) {
      if (!isRedirect(error)) throw error
      const { freshness, timeout = callTimeoutDefault, signal } = options
      const left = Math.max(1, Math.floor(timeout - (performance.now() - startedAt)))
      const request: StateRequest = {
        kind: 'state',
        actor,
        ...defined({ version, freshness }),
      }
      const to = String(error.details.owner)
      const reading = (await transport.request(request, {
        to,
        timeout: left,
        ...defined({ signal }),
      })) as AnyReading
      // What an earlier build answers has no position: the end of the log is at or after it.
      const { position = reading.version === 0 ? 0 : await store.lastPosition() } =
        reading
      return { ...reading, position }
    }
  }
}

function readState(
  host: Pick<ActorHost, 'state' | 'stateAt'>,
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
