// Steady traffic: commands to many actors, each sent when it is due, whatever became of those
// before it. A caller that waited for an answer first would not send while nothing answers,
// and so would not see the pause that all others see.

/**
 * @typedef {object} Request
 * @property {number} actor its index
 * @property {string} commandId
 * @property {number} due when it should have been sent, as `performance.now()`
 * @property {number} [answeredAt] absent as long as nothing came back
 * @property {number} [version] of the actor, where it was carried out
 * @property {string} [failure] why it was not
 *
 * @typedef {(actor: number, commandId: string) => Promise<number>} Send resolves with the
 *   actor's version
 */

export class Traffic {
  /** @type {Request[]} */
  requests = []
  #send
  #actors
  #every
  #open = 0
  #start = 0
  #prefix
  /** @type {NodeJS.Timeout | undefined} */
  #timer

  /**
   * @param {{ actors: number, every: number, prefix: string, send: Send }} options each of
   *   so many actors gets a command every so many milliseconds; `prefix` makes ids unique
   */
  constructor({ actors, every, prefix, send }) {
    this.#actors = actors
    this.#every = every
    this.#prefix = prefix
    this.#send = send
  }

  /** Commands without an answer yet. */
  get open() {
    return this.#open
  }

  start() {
    this.#start = performance.now()
    this.#timer = setInterval(() => this.#sendDue(), 1)
  }

  stop() {
    clearInterval(this.#timer)
  }

  #sendDue() {
    const now = performance.now()
    const step = this.#every / this.#actors
    for (;;) {
      const n = this.requests.length
      const due = this.#start + n * step
      if (due > now) return
      void this.#request({
        actor: n % this.#actors,
        commandId: `${this.#prefix}${n}`,
        due,
      })
    }
  }

  async #request(/** @type {Request} */ request) {
    this.requests.push(request)
    this.#open++
    try {
      request.version = await this.#send(request.actor, request.commandId)
    } catch (error) {
      request.failure = error instanceof Error ? error.message : String(error)
    }
    request.answeredAt = performance.now()
    this.#open--
  }
}
