// A node of a test cluster: it writes down what is sent through it, and stops at a crash.

import { actorRef } from '../actor/ref.js'
import { CairnError } from '../model/errors.js'
import type { DurableCommandSender, CommandSender } from '../model/command-sender.js'
import type { Node } from '../runtime/node.js'
import type { Journal } from './journal.js'
import type { Line } from './line.js'
import type { Simulation } from './simulation.js'

/** A node, and its number in its cluster. */
export interface ClusterNode extends Node {
  /** The nodes are counted from 0 in the order of their start. */
  readonly index: number
}

export function clusterNode(
  node: Node,
  index: number,
  line: Line,
  journal: Journal,
  simulation: Simulation | undefined,
): ClusterNode {
  const inside = <T extends object>(object: T): T =>
    simulation === undefined ? object : simulation.inside(object)
  const { id: nodeId } = node
  /** Whatever the node was about to answer, a crash ends the wait. */
  const unlessCrashed = async <T>(
    commandId: string | undefined,
    work: () => Promise<T>,
  ) => {
    try {
      line.check()
      return await line.up('sender is answered', work())
    } catch (error) {
      if (!line.isDown) throw error
      throw new CairnError(
        'answer-lost',
        `Node ${nodeId} crashed before it answered. Whether the command took effect is not known.`,
        { details: commandId === undefined ? {} : { commandId } },
      )
    }
  }
  const senderBy = (
    tell: (...command: Parameters<CommandSender['tell']>) => Promise<void>,
  ): CommandSender => ({
    ask: (actor, command, data, options = {}) =>
      journal.ask({ nodeId, actor, command, data, options }, () =>
        unlessCrashed(options.commandId, () => node.ask(actor, command, data, options)),
      ),
    tell: (actor, command, data, options = {}) =>
      journal.tell({ nodeId, actor, command, data, options }, () =>
        unlessCrashed(options.commandId, () => tell(actor, command, data, options)),
      ),
  })
  const keeper: DurableCommandSender = {
    send: (actor, command, data, options = {}) =>
      unlessCrashed(options.commandId, () => node.send(actor, command, data, options)),
  }
  return inside({
    ...node,
    ...keeper,
    store: inside(node.store),
    bus: inside(node.bus),
    deadLetters: inside(node.deadLetters),
    projection: projection => inside(node.projection(projection)),
    consumer: declared => inside(node.consumer(declared)),
    trigger: (...args) => inside(node.trigger(...args)),
    supervise: actor => inside(node.supervise(actor)),
    index,
    spawn(definition, actorId) {
      const inner = node.spawn(definition, actorId)
      const sender = senderBy((_actor, command, data, options) =>
        // The names and data were checked by the caller's types; here they are passed on.
        (inner.tell as (...args: unknown[]) => Promise<void>)(command, data, options),
      )
      const ports = { sender, durableSender: keeper, store: node.store }
      const { ask, tell, send } = actorRef(definition, actorId, ports)
      return inside({ ...inner, ask, tell, send })
    },
    ask: (actor, command, data, options) =>
      senderBy(() => Promise.resolve()).ask(actor, command, data, options),
    state: (actor, options) => unlessCrashed(undefined, () => node.state(actor, options)),
  })
}
