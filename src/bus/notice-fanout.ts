// Shares one subscription of a node among its listeners: a notice is received and decoded once,
// however many groups listen.

import { throwIfAborted } from '../model/wait.js'
import type { InterruptionReason, SubscribeOptions, Subscription } from './bus.js'
import type { CommitStored } from './notice.js'
import { actorFilterOf, isWanted } from './notice-filter.js'
import { CountedSubscription, perCommit } from './subscription.js'

/** The owner of the subscription calls `deliver` and `interrupted`; listeners subscribe as they would to the bus. */
export class NoticeFanout {
  readonly #listeners = new Set<CountedSubscription>()

  deliver(notice: CommitStored): void {
    for (const listener of this.#listeners) listener.deliver(notice)
  }

  interrupted(reason: InterruptionReason): void {
    for (const listener of this.#listeners) listener.interrupted(reason)
  }

  async subscribeToCommits(
    namespace: string,
    handler: (notice: CommitStored) => void,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    throwIfAborted(options.signal, `listening to notices of ${namespace}`)
    const filter = actorFilterOf(options)
    const wanted = (notice: CommitStored) => {
      if (isWanted(filter, notice.actor)) handler(notice)
    }
    const listener = new CountedSubscription(perCommit(wanted), options, () => {
      this.#listeners.delete(listener)
    })
    this.#listeners.add(listener)
    return listener
  }
}
