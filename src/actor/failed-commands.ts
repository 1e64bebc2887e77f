// Dead commands: those that ended in an error, counted by its code.
//
// Each is counted once, where it was sent: on the node whose `ask` or `tell` failed, or which
// took it from the command line. One that was told counts where it failed after it had been
// taken, for its sender hears of it no more.

import { isCairnError } from '../model/errors.js'
import type { CommandSender } from '../model/command-sender.js'

/** What an error without a code is counted as. */
const other = 'other'

export class FailedCommands {
  readonly #counts = new Map<string, number>()

  count(error: unknown): void {
    const code = isCairnError(error) ? error.code : other
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
  }

  /** How many there were of each code since the start. */
  stats(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** The same sender, with what ends in an error counted. */
  counting(sender: CommandSender): CommandSender {
    const counted = (error: unknown): never => {
      this.count(error)
      throw error
    }
    return {
      ask: (actor, command, data, options) =>
        sender.ask(actor, command, data, options).catch(counted),
      tell: (actor, command, data, options) =>
        sender.tell(actor, command, data, options).catch(counted),
    }
  }
}
