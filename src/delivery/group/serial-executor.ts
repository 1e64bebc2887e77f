// Caution: of the records that may have ended a process, one is handled at a time, so that it is known
// which one did. One for all groups of a node.

/** Runs one piece of work at a time, in the order of the calls. */
export class SerialExecutor {
  #last: Promise<void> = Promise.resolve()

  /** Resolves or rejects with the work, which begins when all before it has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.then(
      () => {},
      () => {},
    )
    return result
  }
}
