// One subscription's bookkeeping, the same for every bus: counts, and handlers that throw.

import type {
  InterruptionReason,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from './bus.js'
import { type CommitStored, type EventStored, toEventStored } from './notice.js'

/** Makes the calls of one handler for one commit, each within the guard (B4). */
export type Delivery = (
  notice: CommitStored,
  guard: (work: () => unknown) => void,
) => void

/**
 * Owns the counters and knows whether the subscription is over. The bus that made it feeds
 * it, and ends it through `end`, which must be callable from the moment of construction.
 */
export class CountedSubscription implements Subscription {
  readonly #delivery: Delivery
  readonly #options: SubscribeOptions
  readonly #end: () => Promise<void> | void
  readonly #onAbort = () => void this.unsubscribe()
  readonly #guard = (work: () => unknown) => this.#run(work)
  #commits = 0
  #malformed = 0
  #interruptions = 0
  #handlerErrors = 0
  #ended: Promise<void> | undefined

  constructor(
    delivery: Delivery,
    options: SubscribeOptions,
    end: () => Promise<void> | void,
  ) {
    this.#delivery = delivery
    this.#options = options
    this.#end = end
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  deliver(notice: CommitStored): void {
    if (this.#ended !== undefined) return
    this.#commits++
    this.#delivery(notice, this.#guard)
  }

  malformed(): void {
    if (this.#ended === undefined) this.#malformed++
  }

  interrupted(reason: InterruptionReason): void {
    if (this.#ended !== undefined) return
    this.#interruptions++
    this.#run(() => this.#options.onInterrupted?.(reason))
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

  /** B4, also for a handler that returns a promise. */
  #run(work: () => unknown): void {
    // The subscription may have been ended by the call before this one, for the same commit.
    if (this.#ended !== undefined) return
    try {
      const result = work()
      if (result instanceof Promise) result.catch((error: unknown) => this.#failed(error))
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#handlerErrors++
    try {
      this.#options.onHandlerError?.(error)
    } catch {
      // The reporter itself fails: there is nobody left to tell, so it is counted.
      this.#handlerErrors++
    }
  }
}

/** Hands on the commit as it is. */
export function perCommit(handler: (notice: CommitStored) => void): Delivery {
  return (notice, guard) => guard(() => handler(notice))
}

/** Hands on one notice per event; one that its handler fails on does not cost the others. */
export function perEvent(handler: (notice: EventStored) => void): Delivery {
  return (commit, guard) => {
    for (const notice of toEventStored(commit)) guard(() => handler(notice))
  }
}
