// Turns of the event loop for stores in memory: they wait for no device, so code that only awaits their operations would
// keep timers, signals and I/O from running.

/** Operations between two turns. */
const operationsPerTurn = 64

export class Turns {
  #operations = 0

  /** Counts an operation. Resolves after a turn of the event loop, or returns undefined where none is due. */
  next(): Promise<void> | undefined {
    if (++this.#operations % operationsPerTurn !== 0) return undefined
    return new Promise(resolve => void setImmediate(resolve))
  }
}
