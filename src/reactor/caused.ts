// Commands and messages that something else has caused: its correlation is carried on, and
// their ids are derived from it, so that doing it all again acts once.

import type { Causes } from '../model/commit.js'
import type { CommandKeeper, CommandSender, SendOptions } from '../model/sender.js'

/** What a handler is handling: the source of what it causes. */
export interface Origin extends Causes {
  /** Stable in every attempt: what is caused has ids that begin with it. */
  readonly id: string
}

export interface CausedBy {
  readonly sender: CommandSender & CommandKeeper
  /** The causes of what is caused, and an id for the next of it. */
  next(): Causes & { readonly id: string }
}

/** Sends in the name of an origin; what a caller gives itself counts. */
export function causedBy(
  { id, correlationId, traceparent }: Origin,
  by: string,
  through: CommandSender & CommandKeeper,
): CausedBy {
  let count = 0
  const causes: Causes = {
    correlationId: correlationId ?? id,
    causationId: id,
    ...(traceparent !== undefined && { traceparent }),
  }
  const next = () => ({ ...causes, id: `${id}>${by}#${count++}` })
  const adopt = (options: SendOptions = {}): SendOptions => {
    const { id: commandId, ...rest } = next()
    return { commandId, ...rest, ...options }
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
