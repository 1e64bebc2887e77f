// What a call is about, for error messages: a command or a state read. A class instead of closures,
// because one is created per command.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Command } from '../model/behavior.js'
import { show } from '../model/show.js'
import { withCommandId } from './command-error.js'
import type { CallSubject } from './call.js'

export class CommandSubject implements CallSubject {
  readonly #actor: ActorAddress
  readonly #command: Command

  constructor(actor: ActorAddress, command: Command) {
    this.#actor = actor
    this.#command = command
  }

  get kind(): string {
    return this.#actor.type
  }

  get isCommand(): true {
    return true
  }

  describe(): string {
    return `command ${show(this.#command.type)} to ${formatAddress(this.#actor)}`
  }

  explainError(error: unknown): unknown {
    return withCommandId(error, this.#command.id)
  }
}

export class ReadSubject implements CallSubject {
  readonly #actor: ActorAddress

  constructor(actor: ActorAddress) {
    this.#actor = actor
  }

  get kind(): string {
    return this.#actor.type
  }

  describe(): string {
    return `reading of the state of ${formatAddress(this.#actor)}`
  }

  explainError(error: unknown): unknown {
    return error
  }
}
