// Membership: this node among the nodes of its namespace.
//
// Three capabilities, since a node leaves before it finishes its own commands, waits for the
// requests that other nodes have sent it, and closes its membership last.

import { wireVersionNewest } from '../../codec/wire-version.js'
import type { Member, Membership } from '../../cluster/membership.js'
import type { RequestHandler, Serving } from '../../cluster/transport.js'
import { pause } from '../../model/wait.js'
import type { Capability } from '../capability.js'
import type { NodeContext } from '../context.js'
import { partLog } from '../log.js'
import { packageVersion } from '../package-version.js'

/** Milliseconds for the next owners to read what this node has in memory. */
const handoverTimeout = 2_000

export interface MembershipCapabilities {
  /** Throws before the node has joined. */
  membership(): Membership
  /** Serves requests and joins; closes the membership. */
  readonly joining: Capability
  /** Ends when the requests of other nodes are answered. */
  readonly answering: Capability
  /** Leaves: the other nodes know, and no more requests are accepted. */
  readonly leaving: Capability
}

export function membershipCapabilities(
  context: NodeContext,
  parts: {
    readonly groups: () => readonly string[]
    readonly handle: RequestHandler
    /** Lets the next owners read the actors in this node's memory. */
    readonly handOver: (timeout: number) => Promise<void>
  },
): MembershipCapabilities {
  const { open, definitions, isMember, settings } = context
  let membership: Membership | undefined
  let serving: Serving | undefined
  let answered: Promise<void> = Promise.resolve()
  const joined = () => {
    if (membership !== undefined) return membership
    throw new Error('The node has not joined yet.')
  }
  return {
    membership: joined,
    joining: {
      async start() {
        // Served before it is announced: a node that learns of this one finds it listening.
        if (isMember)
          serving = await open.transport.serve(
            settings.id,
            definitions.types,
            parts.handle,
          )
        membership = await open.join(
          isMember ? memberOf(context, parts.groups()) : undefined,
        )
        const write = partLog(context.log, 'cluster')
        membership.onChange(({ dead }) => {
          for (const { id } of dead) write('warn', lostNode(id), { lost: id })
        })
      },
      stop: () => membership?.close(),
    },
    answering: { stop: () => answered },
    leaving: {
      async stop({ timeout }) {
        await parts.handOver(Math.min(handoverTimeout, timeout / 4))
        await membership?.leave()
        answered = Promise.resolve(serving?.stop())
        const inTime = new AbortController()
        void answered.finally(() => inTime.abort())
        await Promise.race([answered, pause(timeout, inTime.signal)])
      },
    },
  }
}

function lostNode(id: string): string {
  return (
    `Node ${id} is given up: it no longer answers, and did not say that it leaves. The other nodes take over its work; ` +
    'see whether its process runs and is reachable.'
  )
}

export function memberOf(
  { settings, definitions, incarnation }: NodeContext,
  groups: readonly string[],
): Member {
  const { id, weight, metadata } = settings
  const { types } = definitions
  const behaviors = Object.fromEntries(
    types.map(type => [type, definitions.get(type).behavior.version]),
  )
  return {
    id,
    types,
    groups,
    weight,
    metadata,
    version: packageVersion,
    behaviors,
    wire: wireVersionNewest,
    incarnation,
  }
}
