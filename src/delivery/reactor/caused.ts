// Commands and messages that something else has caused: its correlation is carried on, and
// their ids are derived from it, so that doing it all again acts once.

import { createHash } from 'node:crypto'

import { correlationOf, validTraceparent } from '../../model/causes.js'
import type { Causes } from '../../model/commit.js'
import type {
  DurableCommandSender,
  CommandSender,
  RedeliveryOptions,
} from '../../model/command-sender.js'
import type { Message } from '../messages/message.js'

export interface CausedBy {
  readonly sender: CommandSender & DurableCommandSender
  /** The causes of what is caused, and an id for the next of it. */
  next(): Causes & { readonly id: string }
}

/** Bytes that a derived id begins with, at most: what reactors pass on from one to the next would grow. */
const originBytesMax = 512

/**
 * Sends in the name of a message that is handled; what a caller gives itself counts.
 * @param mayBeRepeat all of this may have been done before, however long ago
 */
export function causedBy(
  message: Message,
  by: string,
  through: CommandSender & DurableCommandSender,
  mayBeRepeat: boolean,
): CausedBy {
  let count = 0
  const origin = originOf(message)
  const { id, correlationId } = message
  const causes: Causes = {
    correlationId: correlationOf(correlationId, id),
    causationId: id,
    ...validTraceparent(message),
  }
  const next = () => ({ ...causes, id: `${origin}>${by}#${count++}` })
  const adopt = (options: RedeliveryOptions = {}): RedeliveryOptions => {
    const { id: commandId, ...rest } = next()
    // No command was sent before the message was there: back to then it is looked for.
    const repeated = mayBeRepeat && { sentAt: message.at }
    return { commandId, ...rest, ...repeated, ...options }
  }
  return {
    next,
    sender: {
      ask: (actor, type, data, options) => through.ask(actor, type, data, adopt(options)),
      tell: (actor, type, data, options) =>
        through.tell(actor, type, data, adopt(options)),
      send: (actor, type, data, options) =>
        through.send(actor, type, data, adopt(options)),
    },
  }
}

/**
 * What no other message has: an actor's message has an id of its own in the namespace, and
 * another one in its topic. No topic and no actor type holds a colon.
 */
function originOf({ id, topic, actor }: Message): string {
  const origin = actor === undefined ? `${topic}:${id}` : id
  if (Buffer.byteLength(origin) <= originBytesMax) return origin
  return `sha256:${createHash('sha256').update(origin).digest('hex')}`
}
