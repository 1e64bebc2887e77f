import { type ActorRef, defineActor, event, reject } from 'cairn-es'

export interface Said {
  readonly sender: string
  readonly text: string
}

export interface Message extends Said {
  /** 1, 2, 3 … in its room: the version of its event. */
  readonly number: number
}

/**
 * A room. Its messages are its events, and the state only counts them: a room with a million messages wakes as fast as one
 * with ten.
 */
export const room = defineActor({
  type: 'room',
  initialState: { messages: 0 },
  decide: {
    say: (state, { sender, text }: Said) => {
      const trimmed = text.trim()
      if (trimmed === '') return reject('blank', 'There is nothing in it.')
      return {
        events: event('said', { sender, text: trimmed }),
        reply: state.messages + 1,
      }
    },
  },
  evolve: { said: (state, _said: Said) => ({ messages: state.messages + 1 }) },
})

/** Every message after the one with this number, those to come included, until the signal fires. */
export async function* messagesAfter(
  number: number,
  here: ActorRef<typeof room>,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  for await (const { event: said } of here.watch({ from: number, signal }))
    if (said !== undefined) yield { number: said.version, ...said.data }
}
