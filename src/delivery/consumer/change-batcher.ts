// Combines concurrent changes of a consumer's document by one process into one write.
//
// CHANGE-BATCHER-1. Each change sees the result of those before it; an error of a change rejects this change only.
// CHANGE-BATCHER-2. After a conflict all changes of a write are applied again, to the state of the time.
// CHANGE-BATCHER-3. At most `waitingMax` changes wait. One more is refused with `queue-full`.

import { type CairnError, refusal } from '../../model/errors.js'
import type { ConsumerState } from './consumer-state.js'

/**
 * Maps a state to the next one, or to `undefined` when there is nothing to write.
 *
 * @param isUnclear an earlier attempt to write this change may have been stored
 */
export type StateChange = (
  state: ConsumerState,
  isUnclear: boolean,
) => ConsumerState | undefined | Promise<ConsumerState | undefined>

interface Job {
  readonly change: StateChange
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  failure: { readonly error: unknown } | undefined
}

/** Changes in one write, at most. */
const batchMax = 256
const waitingMax = 10_000

export class ChangeBatcher {
  readonly #write: (change: StateChange) => Promise<void>
  readonly #jobs: Job[] = []
  #isWriting = false

  /** @param write reads the document, applies the change and stores the result, until there is no conflict */
  constructor(write: (change: StateChange) => Promise<void>) {
    this.#write = write
  }

  /** Resolves when the change is stored. */
  add(change: StateChange): Promise<void> {
    if (this.#jobs.length >= waitingMax) return Promise.reject(tooManyChanges())
    return new Promise((resolve, reject) => {
      this.#jobs.push({ change, resolve, reject, failure: undefined })
      void this.#writeAll()
    })
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs.splice(0, batchMax)
      try {
        await this.#write((state, isUnclear) => applyAll(jobs, state, isUnclear))
        for (const { failure, resolve, reject } of jobs)
          if (failure === undefined) resolve()
          else reject(failure.error)
      } catch (error) {
        for (const { reject } of jobs) reject(error)
      }
    }
    this.#isWriting = false
  }
}

/** CHANGE-BATCHER-1. */
async function applyAll(
  jobs: readonly Job[],
  before: ConsumerState,
  isUnclear: boolean,
): Promise<ConsumerState | undefined> {
  let state = before
  let isChanged = false
  for (const job of jobs) {
    job.failure = undefined
    try {
      const next = await job.change(state, isUnclear)
      if (next === undefined) continue
      state = next
      isChanged = true
    } catch (error) {
      job.failure = { error }
    }
  }
  return isChanged ? state : undefined
}

function tooManyChanges(): CairnError {
  return refusal(
    'queue-full',
    `${waitingMax} changes of this consumer wait to be stored on this node: nothing was changed. Try again later, ` +
      'and settle fewer messages at a time.',
    { limit: waitingMax },
  )
}
