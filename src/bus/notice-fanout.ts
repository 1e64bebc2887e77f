// One subscription of a node, for all on it who listen: a notice is received and decoded once,
// however many groups hear it.

import { throwIfAborted } from '../model/wait.js'
import type { InterruptionReason, SubscribeOptions, Subscription } from './bus.js'
import type { CommitStored } from './notice.js'
import { CountedSubscription, perCommit } from './subscription.js'

/** Who subscribed to the bus feeds it; who listens subscribes to it as to the bus. */
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
    const listener = new CountedSubscription(perCommit(handler), options, () => {
      this.#listeners.delete(listener)
    })
    this.#listeners.add(listener)
    return listener
  }
}
