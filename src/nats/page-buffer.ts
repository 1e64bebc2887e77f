// Collects items that arrive one by one, and gives them to a reader in pages: each page is what has arrived since
// the previous one. A generator that yields each item costs more than everything else does per item.
//
// Owns the items that have arrived and are not read yet. The producer uses `buffered` to limit them.

import { type Deferred, deferred } from '../model/wait.js'

export class PageBuffer<Item> {
  #arrived: Item[] = []
  #inPage = 0
  #isEnded = false
  #failure: { readonly error: unknown } | undefined
  #arrival: Deferred<void> | undefined

  /** Items that have arrived and are not read, plus those of the reader's current page. */
  get buffered(): number {
    return this.#arrived.length + this.#inPage
  }

  push(item: Item): void {
    this.#arrived.push(item)
    if (this.#arrival !== undefined) this.#wake()
  }

  /** No more items will arrive. */
  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  /** The reader gets the error after the items that arrived before it. */
  fail(error: unknown): void {
    this.#failure = { error }
    this.end()
  }

  /** The reader has finished its current page. */
  release(): void {
    this.#inPage = 0
  }

  /** Resolves with the next page; `undefined` at the end, or if nothing arrives within `timeout` ms. */
  async next(timeout?: number): Promise<readonly Item[] | undefined> {
    if (this.#arrived.length === 0 && !this.#isEnded) await this.#wait(timeout)
    const page = this.#arrived
    if (page.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error
      return undefined
    }
    this.#arrived = []
    this.#inPage = page.length
    return page
  }

  #wake(): void {
    const arrival = this.#arrival
    this.#arrival = undefined
    arrival?.resolve()
  }

  async #wait(timeout: number | undefined): Promise<void> {
    const arrival = deferred<void>()
    this.#arrival = arrival
    const timer = timeout === undefined ? undefined : setTimeout(arrival.resolve, timeout)
    await arrival.promise
    clearTimeout(timer)
    this.#arrival = undefined
  }
}
