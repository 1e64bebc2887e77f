// Counts failed commands by error code.
//
// Each is counted once, where it was sent: on the node whose `ask` or `tell` failed, or that received
// it from the command line. A command of `tell` that fails after it was accepted is counted where it
// failed, because its sender gets no answer.

import { isCairnError } from '../model/errors.js'
import type { CommandSender } from '../model/command-sender.js'

/** The key for errors without a code. */
const withoutCode = 'other'

export class FailedCommands {
  readonly #counts = new Map<string, number>()

  count(error: unknown): void {
    const code = isCairnError(error) ? error.code : withoutCode
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
  }

  /** The number of failures of each code since the start. */
  stats(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** A sender that counts its failures here. */
  countFailures(sender: CommandSender): CommandSender {
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
