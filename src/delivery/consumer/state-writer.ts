// Changes of one document by one process: those that come together are one write.
//
// H1. Each change sees what those before it made of the document, and its own error is its own.
// H2. A write that was refused is done again with all of its changes, on what is there by then.

import type { ConsumerState } from './consumer-state.js'

/**
 * From a state to the next; to `undefined` where there is nothing to write.
 *
 * @param isUnclear an attempt before this one may have been stored
 */
export type StateChange = (
  state: ConsumerState,
  isUnclear: boolean,
) => ConsumerState | undefined | Promise<ConsumerState | undefined>

interface Job {
  readonly to: StateChange
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
  failure: { readonly error: unknown } | undefined
}

/** Changes in one write, at most. */
const batchMax = 256

export class StateWriter {
  readonly #write: (apply: StateChange) => Promise<void>
  readonly #jobs: Job[] = []
  #isBusy = false

  /** @param write reads the document, applies, and stores it, until that is not refused */
  constructor(write: (apply: StateChange) => Promise<void>) {
    this.#write = write
  }

  /** Resolves when the change is stored. */
  add(to: StateChange): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ to, resolve, reject, failure: undefined })
      void this.#work()
    })
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
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
    this.#isBusy = false
  }
}

/** H1. */
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
      const next = await job.to(state, isUnclear)
      if (next === undefined) continue
      state = next
      isChanged = true
    } catch (error) {
      job.failure = { error }
    }
  }
  return isChanged ? state : undefined
}
