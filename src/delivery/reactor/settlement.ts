// How a handler may settle its message, and the one settlement that counts.

import { CairnError } from '../../model/errors.js'
import { show } from '../../model/show.js'

export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly after?: number }
  | { readonly kind: 'park'; readonly reason: string }
  | { readonly kind: 'drop'; readonly reason: string }

/** What settles a message before its handler ends. The first call counts, and it takes effect then. */
export interface Settling {
  /** It is handled, whatever the handler does from here on. */
  ack(): void
  /** It is handled again `after` milliseconds later; by default as the retry policy says. */
  retry(after?: number): void
  /** It becomes a dead letter at once, for this reason, and waits for people there. */
  park(reason: string): void
  /** It is handled no further and kept nowhere else; the reason is logged. */
  drop(reason: string): void
}

/** A message's settlement: none at first, and then always the same. */
export class FirstSettlement implements Settling {
  #settlement: Settlement | undefined

  get settled(): Settlement | undefined {
    return this.#settlement
  }

  readonly ack = (): void => {
    this.#settlement ??= { kind: 'ack' }
  }

  readonly retry = (after?: number): void => {
    if (after !== undefined && !(after >= 0))
      throw new CairnError(
        'invalid-option',
        `retry(${show(after)}): use milliseconds from 0, or nothing.`,
      )
    this.#settlement ??= { kind: 'retry', ...(after !== undefined && { after }) }
  }

  readonly park = (reason: string): void => {
    this.#settlement ??= { kind: 'park', reason }
  }

  readonly drop = (reason: string): void => {
    this.#settlement ??= { kind: 'drop', reason }
  }
}
