// One subscription's bookkeeping, the same for every bus: counts, and handlers that throw.

import type {
  InterruptionReason,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from './bus.js'
import { type CommitStored, type EventStored, eventsStored } from './notice.js'

/**
 * Owns the counters and knows whether the subscription is over. The bus that made it feeds
 * it, and ends it through `end`.
 */
export class CountedSubscription implements Subscription {
  readonly #handler: (notice: CommitStored) => void
  readonly #options: SubscribeOptions
  readonly #end: () => Promise<void> | void
  readonly #onAbort = () => void this.unsubscribe()
  #commits = 0
  #malformed = 0
  #interruptions = 0
  #handlerErrors = 0
  #ended: Promise<void> | undefined

  constructor(
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions,
    end: () => Promise<void> | void,
  ) {
    this.#handler = handler
    this.#options = options
    this.#end = end
    if (options.signal?.aborted) this.#onAbort()
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  deliver(notice: CommitStored): void {
    if (this.#ended !== undefined) return
    this.#commits++
    this.#guard(() => this.#handler(notice))
  }

  malformed(): void {
    this.#malformed++
  }

  interrupted(reason: InterruptionReason): void {
    if (this.#ended !== undefined) return
    this.#interruptions++
    this.#guard(() => this.#options.onInterrupted?.(reason))
  }

  stats(): SubscriptionStats {
    return {
      commits: this.#commits,
      malformed: this.#malformed,
      interruptions: this.#interruptions,
      handlerErrors: this.#handlerErrors,
    }
  }

  unsubscribe(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#ended ??= Promise.resolve(this.#end())
    return this.#ended
  }

  /** B4. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#handlerErrors++
      this.#options.onHandlerError?.(error)
    }
  }
}

/** A commit handler that hands on one notice per event. */
export function perEvent(
  handler: (notice: EventStored) => void,
): (notice: CommitStored) => void {
  return commit => {
    for (const notice of eventsStored(commit)) handler(notice)
  }
}
