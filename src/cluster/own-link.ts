// This node's own link to the others, by its own heartbeats: the server sends them back to it. It has no clock, like the
// roster.
//
// Owns the times of the heartbeats that were sent and came back, and of the last bytes that were read.
//
// OWN-LINK-1. The lag is how long a message waits before this node reads it. A process that is short of CPU, or that has
//     much to read, is late for everything: it is busy, and neither its link nor those of others are bad for that.
// OWN-LINK-2. Without an own heartbeat for `limit` ms, requests and answers may not pass. This node judges nobody then.
// OWN-LINK-3. It is cut off if nothing else is read, either; otherwise it is behind, and will catch up.

export class OwnLink {
  /** Milliseconds. */
  readonly #limit: number
  /** Milliseconds between heartbeats. */
  readonly #every: number
  /** When the last own heartbeat came back, when that one was sent, and how long it took. */
  #heardAt: number
  #heardSentAt: number
  #lag = 0
  #bytes = 0
  #readAt: number

  constructor(limits: { readonly limit: number; readonly every: number }, now: number) {
    this.#limit = limits.limit
    this.#every = limits.every
    this.#heardAt = now
    this.#heardSentAt = now
    this.#readAt = now
  }

  /** A heartbeat that was sent at `sentAt` came back. */
  heard(sentAt: number, now: number): void {
    this.#heardAt = now
    this.#heardSentAt = sentAt
    this.#lag = now - sentAt
  }

  /** @param bytes all that the connection has read so far */
  tick(bytes: number, now: number): void {
    if (bytes !== this.#bytes) this.#readAt = now
    this.#bytes = bytes
  }

  /** After a time in which no heartbeat could come back. */
  restart(now: number): void {
    this.#heardAt = now
    this.#heardSentAt = now
    this.#readAt = now
  }

  /** OWN-LINK-1. Milliseconds, as of the last heartbeat that came back, or of the one that is due. */
  lag(now: number): number {
    return Math.max(this.#lag, now - this.#heardSentAt - this.#every, 0)
  }

  /** OWN-LINK-2. */
  isSilent(now: number): boolean {
    return now - this.#heardAt >= this.#limit
  }

  /** OWN-LINK-3. */
  isCutOff(now: number): boolean {
    // Reading is noticed up to `every` ms late.
    return this.isSilent(now) && now - this.#readAt >= this.#limit - this.#every
  }
}
