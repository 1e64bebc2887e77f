// A sender whose commands are published on the channel `cairn:ask` if somebody has subscribed.

import type { ActorAddress } from '../model/address.js'
import type { CommandSender, RedeliveryOptions } from '../model/command-sender.js'
import {
  type AskTrace,
  askTraces,
  carryOn,
  trace,
  type TraceOrigin,
} from '../model/trace.js'

export function tracedSender(to: CommandSender, origin: TraceOrigin): CommandSender {
  return {
    ask(actor, command, data, options) {
      if (!askTraces.hasSubscribers) return to.ask(actor, command, data, options)
      const context = contextOf(origin, 'ask', actor, command, options)
      return trace(askTraces, context, traceparent =>
        to.ask(actor, command, data, carryOn(options ?? {}, traceparent)),
      )
    },
    tell(actor, command, data, options) {
      if (!askTraces.hasSubscribers) return to.tell(actor, command, data, options)
      const context = contextOf(origin, 'tell', actor, command, options)
      return trace(askTraces, context, traceparent =>
        to.tell(actor, command, data, carryOn(options ?? {}, traceparent)),
      )
    },
  }
}

function contextOf(
  { namespace, nodeId }: TraceOrigin,
  method: AskTrace['method'],
  actor: ActorAddress,
  command: string,
  { commandId, correlationId, traceparent }: RedeliveryOptions = {},
): AskTrace {
  return {
    namespace,
    nodeId,
    method,
    actor,
    command,
    commandId,
    correlationId,
    traceparent,
  }
}
