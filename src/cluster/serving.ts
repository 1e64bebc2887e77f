// The servings of a transport, and the requests that each is handling. The same for every transport.

import type { Serving } from './transport.js'

/** Requests that are being handled. */
export class ActiveRequests {
  readonly #active = new Set<Promise<unknown>>()

  get size(): number {
    return this.#active.size
  }

  /** `work` must not reject. */
  add(work: Promise<unknown>): void {
    this.#active.add(work)
    void work.finally(() => this.#active.delete(work))
  }

  /** Resolves once the requests that are active now have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#active)
  }
}

export class Servings {
  readonly #servings = new Set<Serving>()

  /** Adds a serving that ends with `stop`. */
  add(stop: () => Promise<void>): Serving {
    const serving: Serving = {
      stop: () => {
        this.#servings.delete(serving)
        return stop()
      },
    }
    this.#servings.add(serving)
    return serving
  }

  /** Stops all servings. */
  async close(): Promise<void> {
    await Promise.all([...this.#servings].map(serving => serving.stop()))
  }
}
