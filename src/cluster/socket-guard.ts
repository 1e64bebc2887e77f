// Bounds of the connections to a node's local socket.
//
// Owns what each connection has sent and is waiting for, and one timer.
//
// SOCKET-GUARD-1. The bytes of requests that have not arrived whole are bounded, over all connections. Beyond the bound, the
//     connection that holds most of them ends: one that holds few is never the victim of others.
// SOCKET-GUARD-2. A request that has begun to arrive and is not whole in time ends its connection, however it trickles.
// SOCKET-GUARD-3. A connection on which nothing is asked or answered ends after a while.
// SOCKET-GUARD-4. A node that stood still does not blame its callers: it has read what had arrived before it looks twice.

import type { Socket } from 'node:net'

import { CairnError } from '../model/errors.js'

export interface SocketBounds {
  /** Bytes of requests that have not arrived whole, of all connections. Default 128 MiB. */
  readonly bytesMax?: number
  /** Milliseconds for a request to arrive, from its first byte. Default 10 s. */
  readonly requestTimeout?: number
  /** Milliseconds that a connection may be idle. Default 10 s. */
  readonly idleTimeout?: number
}

interface Watched {
  bytes: number
  /** Requests that are being handled. */
  handling: number
  /** When its request began to arrive, or when it became idle. */
  since: number
  isSuspected: boolean
}

const bytesMaxDefault = 128 * 1024 * 1024
const timeoutDefault = 10_000
/** Milliseconds between looks. */
const lookEvery = 1_000

export class SocketGuard {
  readonly #bounds: Required<SocketBounds>
  /** Ends a connection, and tells it why. */
  readonly #end: (connection: Socket, error: CairnError | undefined) => void
  readonly #watched = new Map<Socket, Watched>()
  readonly #timer: NodeJS.Timeout
  #bytes = 0

  constructor(
    {
      bytesMax = bytesMaxDefault,
      requestTimeout = timeoutDefault,
      idleTimeout = timeoutDefault,
    }: SocketBounds,
    end: (connection: Socket, error: CairnError | undefined) => void,
  ) {
    this.#bounds = { bytesMax, requestTimeout, idleTimeout }
    this.#end = end
    const shortest = Math.min(requestTimeout, idleTimeout)
    this.#timer = setInterval(() => this.#look(), Math.min(lookEvery, shortest))
    this.#timer.unref()
  }

  add(connection: Socket): void {
    const since = performance.now()
    this.#watched.set(connection, { bytes: 0, handling: 0, since, isSuspected: false })
  }

  remove(connection: Socket): void {
    this.#bytes -= this.#watched.get(connection)?.bytes ?? 0
    this.#watched.delete(connection)
  }

  /** `bytes` of a request have arrived, which is not whole yet; 0 if none has begun. */
  arrived(connection: Socket, bytes: number): void {
    const watched = this.#watched.get(connection)
    if (watched === undefined) return
    const hasBegun = watched.bytes === 0 && bytes > 0
    if (hasBegun || bytes < watched.bytes) this.#moved(watched)
    this.#bytes += bytes - watched.bytes
    watched.bytes = bytes
    while (this.#bytes > this.#bounds.bytesMax) this.#endLargest() // SOCKET-GUARD-1.
  }

  /** A request is being handled until `work` has ended, which does not reject. */
  handle(connection: Socket, work: Promise<void>): void {
    const watched = this.#watched.get(connection)
    if (watched === undefined) return
    watched.handling++
    void work.then(() => {
      watched.handling--
      this.#moved(watched)
    })
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #moved(watched: Watched): void {
    watched.since = performance.now()
    watched.isSuspected = false
  }

  #endLargest(): void {
    let largest: [Socket, Watched] | undefined
    for (const entry of this.#watched)
      if (largest === undefined || entry[1].bytes > largest[1].bytes) largest = entry
    const [connection, { bytes }] = largest!
    this.remove(connection)
    this.#end(
      connection,
      new CairnError(
        'queue-full',
        `The node holds ${this.#bounds.bytesMax} bytes of requests that have not arrived whole, and gave this one up ` +
          `after ${bytes} bytes; nothing was done. Send it again, or send less at once.`,
        { details: { limit: this.#bounds.bytesMax, bytes } },
      ),
    )
  }

  /** SOCKET-GUARD-2, SOCKET-GUARD-3. */
  #look(): void {
    const now = performance.now()
    const { requestTimeout, idleTimeout } = this.#bounds
    for (const [connection, watched] of this.#watched) {
      const { bytes, handling, since } = watched
      const limit = bytes > 0 ? requestTimeout : idleTimeout
      if ((handling > 0 && bytes === 0) || now - since < limit) continue
      if (!watched.isSuspected) {
        watched.isSuspected = true // SOCKET-GUARD-4.
        continue
      }
      this.remove(connection)
      this.#end(connection, bytes > 0 ? notWhole(bytes, requestTimeout) : undefined)
    }
  }
}

function notWhole(bytes: number, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `Of a request, ${bytes} bytes arrived within ${timeout} ms, and the rest did not; nothing was done. Send it again.`,
    { details: { bytes, timeout } },
  )
}
