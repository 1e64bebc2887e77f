// The causal chain from a message to what its handler sends: commands and messages carry on its
// correlation, and their ids are derived from it, so that handling the message again takes effect once.
//
// Owns how often the handler has sent each command to each actor, and has published on each topic.
// CAUSATION-1. An id has the name of the command or the topic, and which of those to the same receiver it is. Calls to
//     several actors, and several commands to one, may come in another order the next time, or not all of them again.

import { createHash } from 'node:crypto'

import { type ActorAddress, formatAddress } from '../../model/address.js'
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
  /** The causes and the id of the next message on a topic that the message causes. */
  next(topic: string | undefined): Causes & { readonly id: string }
}

/** Bytes of the origin in a derived id, at most: ids that reactors derive from derived ids would grow. */
const originBytesMax = 512
/** Characters of the name of a command or topic in a derived id, at most. */
const nameLengthMax = 128

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
  const counts = new Map<string, number>()
  const origin = originOf(message)
  const { id, correlationId } = message
  const causes: Causes = {
    correlationId: correlationOf(correlationId, id),
    causationId: id,
    ...carriedCauses(message),
  }
  const redelivery = redeliveryOf(message, mayBeRepeat)
  /** CAUSATION-1. */
  const nextId = (name: unknown, receiver: string) => {
    const count = counts.get(receiver) ?? 0
    counts.set(receiver, count + 1)
    return `${origin}>${reactor}#${nameInId(name)}.${count}`
  }
  const derive = (
    actor: ActorAddress,
    type: string,
    options: RedeliveryOptions = {},
  ): RedeliveryOptions => ({
    commandId: nextId(type, `command ${type}\0${formatAddress(actor)}`),
    ...causes,
    ...(redelivery && { redelivery }),
    ...defined(options),
  })
  return {
    next: topic => ({ ...causes, id: nextId(topic, `topic ${topic}`) }),
    sender: {
      ask: (actor, type, data, options) =>
        through.ask(actor, type, data, derive(actor, type, options)),
      tell: (actor, type, data, options) =>
        through.tell(actor, type, data, derive(actor, type, options)),
      send: (actor, type, data, options) =>
        through.send(actor, type, data, derive(actor, type, options)),
    },
  }
}

/** A name as a part of an id. It contains no `>` and no `#`, which separate parts. One that is no name is refused elsewhere. */
function nameInId(name: unknown): string {
  const text = encodeURIComponent(String(name).toWellFormed())
  return text.length <= nameLengthMax ? text : `sha256:${hashOf(text).slice(0, 32)}`
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
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
  return `sha256:${hashOf(origin)}`
}
