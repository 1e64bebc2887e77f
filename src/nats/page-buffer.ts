// What arrives message by message, handed to a reader in pages: each is all that has come since
// the one before. A generator that yields every message by itself costs more than the rest of a message does.
//
// Owns what has come and is not taken yet. Whoever fills it asks for more only as far as `held` allows.

import { type Deferred, deferred } from '../model/wait.js'

export class PageBuffer<Item> {
  #arrived: Item[] = []
  #inHand = 0
  #isOver = false
  #failure: { readonly error: unknown } | undefined
  #news: Deferred<void> | undefined

  /** What has come and is not taken, with what the reader has in hand. */
  get buffered(): number {
    return this.#arrived.length + this.#inHand
  }

  push(item: Item): void {
    this.#arrived.push(item)
    this.#news?.resolve()
  }

  /** Nothing comes any more. */
  end(): void {
    this.#isOver = true
    this.#news?.resolve()
  }

  /** The reader hears of it when it has had what came before. */
  fail(error: unknown): void {
    this.#failure = { error }
    this.end()
  }

  /** The reader is done with the page that it has. */
  release(): void {
    this.#inHand = 0
  }

  /** Waits until something has come; `undefined` when nothing comes any more, or nothing came for so many ms. */
  async next(patience?: number): Promise<readonly Item[] | undefined> {
    if (this.#arrived.length === 0 && !this.#isOver) await this.#wait(patience)
    const page = this.#arrived
    if (page.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error
      return undefined
    }
    this.#arrived = []
    this.#inHand = page.length
    return page
  }

  async #wait(patience: number | undefined): Promise<void> {
    const news = deferred<void>()
    this.#news = news
    const timer = patience === undefined ? undefined : setTimeout(news.resolve, patience)
    await news.promise
    clearTimeout(timer)
    this.#news = undefined
  }
}
