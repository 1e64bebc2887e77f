// Explicit settlement of a message by its handler.

import { CairnError, messageOf } from '../../model/errors.js'
import { show } from '../../model/show.js'
import { isDelay } from '../../model/retry-policy.js'

export type Settlement =
  | { readonly kind: 'ack' }
  | { readonly kind: 'retry'; readonly after?: number }
  | { readonly kind: 'park'; readonly reason: string }
  | { readonly kind: 'drop'; readonly reason: string }

/** Settles a message before its handler ends. Only the first call counts; it takes effect when the handler ends. */
export interface SettlementActions {
  /** The message is handled, whatever the handler does afterwards. */
  ack(): void
  /** The message is handled again after `after` milliseconds; by default the retry policy decides. */
  retry(after?: number): void
  /** The message becomes a dead letter at once, with this reason, until an operator decides. */
  park(reason: string): void
  /** The message is discarded without a dead letter; the reason is logged. */
  drop(reason: string): void
}

/** Keeps the first settlement of a message. A reason may be any value, such as an error: its text is kept. */
export class FirstSettlement implements SettlementActions {
  #settlement: Settlement | undefined

  get settled(): Settlement | undefined {
    return this.#settlement
  }

  readonly ack = (): void => {
    this.#settlement ??= { kind: 'ack' }
  }

  readonly retry = (after?: number): void => {
    if (after !== undefined && !isDelay(after))
      throw new CairnError(
        'invalid-option',
        `retry(${show(after)}): pass milliseconds from 0, or no argument.`,
      )
    this.#settlement ??= { kind: 'retry', ...(after !== undefined && { after }) }
  }

  readonly park = (reason: string): void => {
    this.#settlement ??= { kind: 'park', reason: messageOf(reason) }
  }

  readonly drop = (reason: string): void => {
    this.#settlement ??= { kind: 'drop', reason: messageOf(reason) }
  }
}
