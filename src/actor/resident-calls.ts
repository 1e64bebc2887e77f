// Calls to residents: accepts a call and finds or creates the actor in memory that answers it.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { Actor } from './actor.js'
import type { ActorPorts } from './actor-ports.js'
import type { Admission } from './admission.js'
import type { Call, CallOptions, CallSubject } from './call.js'
import type { DefinitionRegistry } from './registry.js'
import type { Residents } from './residents.js'

export class ResidentCalls {
  readonly #admission: Admission
  readonly #definitions: DefinitionRegistry
  readonly #residents: Residents
  readonly #ports: ActorPorts
  readonly #onIdle: (actor: Actor) => void

  constructor(
    admission: Admission,
    definitions: DefinitionRegistry,
    residents: Residents,
    ports: ActorPorts,
    onIdle: (actor: Actor) => void,
  ) {
    this.#admission = admission
    this.#definitions = definitions
    this.#residents = residents
    this.#ports = ports
    this.#onIdle = onIdle
  }

  /**
   * Accepts a call. Throws before it is accepted; after that, the call is answered in any case.
   * @param isChecked the admission of the call was checked before
   */
  open<T>(
    actor: ActorAddress,
    subject: CallSubject,
    options: CallOptions,
    isChecked = false,
  ): { readonly call: Call<T>; readonly resident: Actor } {
    if (!isChecked) this.#admission.check({ actor, timeout: options.timeout })
    const definition = this.#definitions.get(actor.type)
    const call = this.#admission.admit<T>(
      subject,
      ++this.#ports.logicalClock.now,
      options,
    )
    const name = formatAddress(actor)
    const resident =
      this.#residents.markBusy(name) ??
      this.#residents.addBusy(
        new Actor(
          { type: actor.type, id: actor.id },
          definition,
          this.#ports,
          this.#onIdle,
        ),
      )
    return { call, resident }
  }
}

/** Runs `post`, which hands a call to its actor. If it throws, the call counts as never accepted. */
export function posting(call: Pick<Call<unknown>, 'withdraw'>, post: () => void): void {
  try {
    post()
  } catch (error) {
    call.withdraw()
    throw error
  }
}
