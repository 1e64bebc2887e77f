// The operators' directives as one actor obeys them.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { raceSignal } from '../model/wait.js'
import type { OpenCall } from './call.js'
import type { DirectiveState, Directives } from './directives.js'
import { actorPaused } from './parked.js'
import { supervisorId } from './supervisor.js'

export class OwnDirectives {
  readonly #actor: ActorAddress
  readonly #all: Pick<Directives, 'of' | 'pending'> | undefined
  readonly #supervisor: string

  /** @param all absent without supervision */
  constructor(actor: ActorAddress, all: Pick<Directives, 'of' | 'pending'> | undefined) {
    this.#actor = actor
    this.#all = all
    this.#supervisor = all === undefined ? '' : supervisorId(formatAddress(actor))
  }

  get current(): DirectiveState | undefined {
    return this.#all?.of(this.#supervisor)
  }

  /** Resolves when directives that this node has not read yet are read; undefined when there are none. */
  get pending(): Promise<void> | undefined {
    return this.#all?.pending(this.#supervisor)
  }

  /** Waits until the directives are known. */
  async known(call: OpenCall): Promise<void> {
    const { pending } = this
    if (pending === undefined) return
    await raceSignal(pending, call.signal)
    call.check()
  }

  throwIfPaused(): void {
    const { paused } = this.current ?? {}
    if (paused !== undefined) throw actorPaused(this.#actor, paused)
  }
}
