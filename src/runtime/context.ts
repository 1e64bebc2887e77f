// The parts of a node that its capabilities share.

import { DefinitionRegistry } from '../actor/registry.js'
import { FailedCommands } from '../actor/failed-commands.js'
import { supervisor } from '../actor/supervisor.js'
import type { OpenNamespace } from '../backend/backend.js'
import { NoticeFanout } from '../bus/notice-fanout.js'
import {
  deadLetterReasons,
  type DeadLetterSink,
} from '../delivery/dead-letters/dead-letters.js'
import type { CommandSender, DurableCommandSender } from '../model/command-sender.js'
import type { NodeLog } from '../model/log.js'
import type { TraceOrigin } from '../model/trace.js'
import { partLog } from './log.js'
import { type OutageNamer, outageNamer } from './name-outage.js'
import { NodeEventListeners } from './node-events.js'
import type { NodeSettings } from './options.js'

export interface NodeContext {
  readonly settings: NodeSettings
  readonly definitions: DefinitionRegistry
  readonly open: OpenNamespace
  /** With the node's id and namespace in every line. */
  readonly log: NodeLog
  /** Passes the node's one subscription to all of its readers. */
  readonly notices: NoticeFanout
  readonly failed: FailedCommands
  readonly outages: OutageNamer
  readonly isMember: boolean
  /** Tells the application what happens. */
  readonly events: NodeEventListeners
  /** Stores dead letters, and tells of them. */
  readonly deadLetters: DeadLetterSink
  /** Dead letters that this node has stored since it started, by their reason. */
  deadLetterCounts(): Readonly<Record<string, number>>
  /** When the node started, ms since 1970. */
  readonly incarnation: number
  isClosing(): boolean
}

/** Throws `invalid-definition` for two definitions of one type, or of a reserved type. */
export function registryOf({ actors }: NodeSettings): DefinitionRegistry {
  const definitions = new DefinitionRegistry(actors)
  definitions.addBuiltIn(supervisor)
  return definitions
}

export function contextOf(
  parts: Pick<NodeContext, 'settings' | 'definitions' | 'open' | 'log' | 'isClosing'>,
): NodeContext {
  const events = new NodeEventListeners(partLog(parts.log, 'events'))
  const given = new Map<string, number>()
  return {
    ...parts,
    events,
    deadLetters: {
      dead: parts.open.queues.dead,
      onDeadLetter(reactor, { message, reason, attempts, error }) {
        const { id: messageId, topic } = message
        const counted = deadLetterReasons.includes(reason) ? reason : 'other'
        given.set(counted, (given.get(counted) ?? 0) + 1)
        events.emit('dead-letter', {
          reactor,
          messageId,
          topic,
          reason,
          attempts,
          error,
        })
      },
    },
    deadLetterCounts: () => Object.fromEntries(given),
    notices: new NoticeFanout(),
    failed: new FailedCommands(),
    outages: outageNamer(parts.open),
    isMember: parts.settings.isMember,
    incarnation: Date.now(),
  }
}

/** Where what this node does happens. */
export function traceOriginOf({ settings, open }: NodeContext): TraceOrigin {
  return { namespace: open.namespace, nodeId: settings.id }
}

/** Sends commands both ways: to the mailbox, and stored. */
export type AnySender = CommandSender & DurableCommandSender
