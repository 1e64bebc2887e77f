// The causal chain from a message to what its handler sends: commands and messages carry on its
// correlation, and their ids are derived from it, so that handling the message again takes effect once.

import { createHash } from 'node:crypto'

import { correlationOf, carriedCauses } from '../../model/causes.js'
import type {
  CommandSender,
  DurableCommandSender,
  RedeliveryOptions,
} from '../../model/command-sender.js'
import type { Causes } from '../../model/commit.js'
import { defined } from '../../model/defined.js'
import type { Redelivery } from '../../model/redelivery.js'
import type { Message } from '../messages/message.js'

export interface Causation {
  /** Sends commands that the message causes. */
  readonly sender: CommandSender & DurableCommandSender
  /** The causes and the id of the next message that the message causes. */
  next(): Causes & { readonly id: string }
}

/** Bytes of the origin in a derived id, at most: ids that reactors derive from derived ids would grow. */
const originBytesMax = 512

/**
 * Options that a caller passes to the sender have precedence; one that is `undefined` is as one that is left out.
 *
 * @param mayBeRepeat the handler may have run before for this message, however long ago
 */
export function causationOf(
  message: Message,
  reactor: string,
  through: CommandSender & DurableCommandSender,
  mayBeRepeat: boolean,
): Causation {
  let count = 0
  const origin = originOf(message)
  const { id, correlationId } = message
  const causes: Causes = {
    correlationId: correlationOf(correlationId, id),
    causationId: id,
    ...carriedCauses(message),
  }
  const redelivery = redeliveryOf(message, mayBeRepeat)
  const next = () => ({ ...causes, id: `${origin}>${reactor}#${count++}` })
  const derive = (options: RedeliveryOptions = {}): RedeliveryOptions => {
    const { id: commandId, ...rest } = next()
    return {
      commandId,
      ...rest,
      ...(redelivery && { redelivery }),
      ...defined(options),
    }
  }
  return {
    next,
    sender: {
      ask: (actor, type, data, options) =>
        through.ask(actor, type, data, derive(options)),
      tell: (actor, type, data, options) =>
        through.tell(actor, type, data, derive(options)),
      send: (actor, type, data, options) =>
        through.send(actor, type, data, derive(options)),
    },
  }
}

/**
 * No such command was sent before the message: an earlier one is looked for in what was stored since. Where its
 * publisher knew no position of the log, the command window has to do, or the whole history when the handler may have
 * run before.
 */
function redeliveryOf(
  { actor, position, logPosition }: Message,
  mayBeRepeat: boolean,
): Redelivery | undefined {
  const sentAfter = actor === undefined ? logPosition : position
  if (sentAfter !== undefined) return { sentAfter }
  return mayBeRepeat ? { sentAfter: 0 } : undefined
}

/**
 * A string that identifies the message in its namespace. The id of an actor's message does; the id of another
 * message is unique only in its topic. Names of topics and actor types contain no colon.
 */
function originOf({ id, topic, actor }: Message): string {
  const origin = actor === undefined ? `${topic}:${id}` : id
  if (Buffer.byteLength(origin) <= originBytesMax) return origin
  return `sha256:${createHash('sha256').update(origin).digest('hex')}`
}
