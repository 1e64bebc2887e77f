// The state of one subscription, the same for every bus: counters, errors of handlers, and its end.

import type {
  InterruptionReason,
  SubscribeOptions,
  Subscription,
  SubscriptionStats,
} from './bus.js'
import { type CommitStored, type EventStored, toEventStored } from './notice.js'
import { offAbort, onAbort } from '../model/on-abort.js'

/** Calls one handler for one commit, each call within the guard (BUS-4). */
export type Delivery = (
  notice: CommitStored,
  guard: (work: () => unknown) => void,
) => void

/**
 * Owns the counters, and whether the subscription has ended. The bus calls `deliver`, `malformed` and `interrupted`;
 * `end` must be callable as soon as the constructor returns.
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
    onAbort(options.signal, this.#onAbort)
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
    offAbort(this.#options.signal, this.#onAbort)
    this.#ended ??= Promise.resolve(this.#end())
    return this.#ended
  }

  /** BUS-4, also for a handler that returns a promise. */
  #run(work: () => unknown): void {
    // The previous call for the same commit may have ended the subscription.
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
      // The error handler itself failed: this is only counted.
      this.#handlerErrors++
    }
  }
}

/** Calls the handler once per commit. */
export function perCommit(handler: (notice: CommitStored) => void): Delivery {
  return (notice, guard) => guard(() => handler(notice))
}

/** Calls the handler once per event. An error for one event does not affect the others. */
export function perEvent(handler: (notice: EventStored) => void): Delivery {
  return (commit, guard) => {
    for (const notice of toEventStored(commit)) guard(() => handler(notice))
  }
}
