// Operators' directives: kept up to date on this node, and given through it.

import type { StateReading } from '../../actor/definition.js'
import { Directives } from '../../actor/directives.js'
import type { ActorHost } from '../../actor/actor-host.js'
import { supervise, type Supervision } from '../../actor/supervise.js'
import type { ActorAddress } from '../../model/address.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'

export interface DirectivesCapability extends Capability {
  readonly directives: Directives
}

/** Started after the notices: no directive falls between the subscription and the read. */
export function directivesCapability({ open, log }: NodeContext): DirectivesCapability {
  const directives = new Directives({ store: open.store, log: partLog(log, 'actor') })
  return {
    directives,
    start: () => directives.load(),
    stop: () => directives.close(),
  }
}

/** Gives directives for an actor; the supervisor's commands are handled on this node. */
export function supervisionOf(
  { settings, definitions, open }: NodeContext,
  host: ActorHost,
  directives: Directives,
  actor: ActorAddress,
): Supervision {
  return supervise(actor, {
    store: open.store,
    sender: host,
    nodeId: settings.id,
    onDirective: (supervisorId, version) => directives.onCommit(supervisorId, version),
    async read(address, bounds) {
      if (definitions.types.includes(address.type)) return host.state(address, bounds)
      const request = { kind: 'state', actor: address } as const
      return (await open.transport.request(request, bounds)) as StateReading
    },
  })
}
