// Deciding, published on the channel `cairn:decide` if somebody has subscribed.

import type { ActorAddress } from '../model/address.js'
import type { Command, Decision } from '../model/behavior.js'
import {
  type DecideTrace,
  decideTraces,
  trace,
  type TraceOrigin,
  traceSync,
} from '../model/trace.js'
import type { TimerFiring } from '../model/timer.js'
import { decide, decideRemotely } from './decide.js'
import type { AnyActorDefinition } from './definition.js'
import type { FoldedState } from './fold.js'

/** As {@link decide}. */
export function decideTraced(
  origin: TraceOrigin,
  definition: AnyActorDefinition,
  actor: ActorAddress,
  folded: FoldedState,
  command: Command,
  now: number,
  firing?: TimerFiring,
): Decision {
  if (!decideTraces.hasSubscribers)
    return decide(definition, actor, folded, command, now, firing)
  return traceSync(decideTraces, contextOf(origin, actor, folded, command), () =>
    decide(definition, actor, folded, command, now, firing),
  )
}

/** As {@link decideRemotely}. */
export function decideRemotelyTraced(
  origin: TraceOrigin,
  ...args: Parameters<typeof decideRemotely>
): Promise<Decision> {
  if (!decideTraces.hasSubscribers) return decideRemotely(...args)
  const [, , actor, folded, command] = args
  return trace(decideTraces, contextOf(origin, actor, folded, command), () =>
    decideRemotely(...args),
  )
}

function contextOf(
  { namespace, nodeId }: TraceOrigin,
  actor: ActorAddress,
  { version }: FoldedState,
  { id: commandId, type: command, correlationId, traceparent }: Command,
): DecideTrace {
  return {
    namespace,
    nodeId,
    actor,
    command,
    commandId,
    correlationId,
    traceparent,
    version,
  }
}
