// Runs the handlers of suspect records one at a time, so that a crash shows which record caused it
// (DEFERRED-KEYS-3). All groups of a node share one.

/** Runs one task at a time, in the order of the calls. */
export class SerialExecutor {
  #last: Promise<void> = Promise.resolve()

  /** Settles as the task does. The task starts when all tasks before it have ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.then(
      () => {},
      () => {},
    )
    return result
  }
}
