// A TCP proxy on loopback that misbehaves on request, between a NATS client and a server.
//
// The client must ignore the other addresses that a server of a cluster advertises
// (`ignoreClusterUpdates: true`), else it goes round the proxy when it reconnects.
//
// Owns: every connection through it. Invariants:
//  1. Bytes of one direction are passed on whole and in order, or, once one was swallowed,
//     never again on that connection: the protocol would be out of step.
//  2. While paused or held nothing is read beyond a buffer, so neither side's bytes are lost.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { noRules, OneWay } from './one-way.js'

export type Direction = 'both' | 'toServer' | 'toClient'

export interface Proxy extends AsyncDisposable {
  /** Where clients connect to, for example `nats://127.0.0.1:40123`. */
  readonly url: string
  readonly port: number
  /** How many connections are open through it. */
  readonly connections: number
  /** How many bytes of replies were swallowed since the start. */
  readonly swallowed: number
  /**
   * On: nothing from the server reaches the client any more, while what the client sends
   * still arrives; a new connection gets no greeting. Off: passes again, and cuts the
   * connections of the time before (invariant 1).
   */
  dropReplies(on: boolean): void
  /** Holds both directions back; connections stay open, and an end of one side is passed on. */
  pause(): void
  /** Lets everything held back by `pause` go on. */
  resume(): void
  /**
   * Nothing passes in that direction until `heal`, neither bytes nor the end of a connection: the
   * server does not learn that its client died. A second call adds its direction.
   */
  hold(direction: Direction): void
  /** Bytes and ends of both directions arrive `ms` later, until `heal`. */
  delay(ms: number): void
  /** Ends `hold` and `delay`: what they kept back arrives now. */
  heal(): void
  /** Destroys all current connections; new ones are welcome. */
  cut(): void
  /** On: a new connection is closed at once; current ones go on. */
  refuse(on: boolean): void
}

interface Pair {
  readonly client: Socket
  readonly upstream: Socket
  readonly ways: readonly OneWay[]
}

/** @param targetUrl of one server, for example `nats://127.0.0.1:4222` */
export const startProxy = async (targetUrl: string): Promise<Proxy> => {
  const target = new URL(targetUrl)
  const pairs = new Set<Pair>()
  const toServer = noRules()
  const toClient = noRules()
  const both = [toServer, toClient]
  let isRefusing = false

  const go = () => {
    for (const { ways } of pairs) for (const way of ways) way.go()
  }

  const resume = () => {
    for (const rules of both) rules.isPaused = false
    go()
  }

  const heal = () => {
    for (const rules of both) Object.assign(rules, { isHeld: false, delay: 0 })
    go()
  }

  const cut = () => {
    for (const { client, upstream } of pairs) {
      client.destroy()
      upstream.destroy()
    }
  }

  const listener = createServer(client => {
    // How a connection ends is the test's business: either end's error or close ends both.
    client.on('error', () => {})
    if (isRefusing) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port) })
    upstream.on('error', () => {})
    client.setNoDelay(true)
    upstream.setNoDelay(true)
    const ways = [
      new OneWay(client, upstream, toServer),
      new OneWay(upstream, client, toClient),
    ]
    const pair = { client, upstream, ways }
    pairs.add(pair)
    const forget = () => {
      if (client.closed && upstream.closed) pairs.delete(pair)
    }
    client.once('close', forget)
    upstream.once('close', forget)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo

  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get connections() {
      return pairs.size
    },
    get swallowed() {
      return toClient.swallowed
    },
    dropReplies(on) {
      if (toClient.isDropping && !on) cut()
      toClient.isDropping = on
    },
    pause() {
      for (const rules of both) rules.isPaused = true
    },
    resume,
    hold(direction) {
      if (direction !== 'toClient') toServer.isHeld = true
      if (direction !== 'toServer') toClient.isHeld = true
    },
    delay(ms) {
      for (const rules of both) rules.delay = ms
      go()
    },
    heal,
    cut,
    refuse(on) {
      isRefusing = on
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, 'close')
      listener.close()
      resume()
      heal()
      cut()
      await closed
    },
  }
}
