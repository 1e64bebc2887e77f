// A position that the log has certainly reached, known without waiting for a request.
//
// KNOWN-POSITION-1. It comes from the server only: from acknowledgements and from reads of the stream. A notice may be
//     wrong, and a position that the log has not reached would hide a command from the search for duplicates.
// KNOWN-POSITION-2. While it is used it is read again every `rereadEvery` ms, in the background.

import type { Position } from '../../model/version.js'

/** Milliseconds. */
const rereadEvery = 5_000

export class KnownPosition {
  readonly #read: (signal: AbortSignal) => Promise<Position>
  readonly #closing = new AbortController()
  #position: Position
  #readAt = performance.now()
  #isReading = false

  /** @param read reads the position of the last record */
  constructor(position: Position, read: (signal: AbortSignal) => Promise<Position>) {
    this.#position = position
    this.#read = read
  }

  position(): Position {
    if (performance.now() - this.#readAt >= rereadEvery && !this.#isReading)
      void this.#reread()
    return this.#position
  }

  /** Records a position that the log has reached. */
  raise(position: Position): void {
    if (position > this.#position) this.#position = position
  }

  /** The log was replaced by one with this last position. */
  restart(position: Position): void {
    this.#position = position
  }

  close(): void {
    this.#closing.abort()
  }

  /** Never rejects. */
  async #reread(): Promise<void> {
    this.#isReading = true
    try {
      this.raise(await this.#read(this.#closing.signal))
    } catch {
      // The position stays a lower bound, and whoever uses the store gets the error.
    } finally {
      this.#isReading = false
      this.#readAt = performance.now()
    }
  }
}
