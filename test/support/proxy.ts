// A TCP proxy on loopback that misbehaves on request, between a NATS client and a server.
//
// The client must ignore the other addresses that a server of a cluster advertises
// (`ignoreClusterUpdates: true`), else it goes round the proxy when it reconnects.
//
// Owns: every connection through it. Invariants:
//  1. Bytes of one direction are passed on whole and in order, or, once one was swallowed,
//     never again on that connection: the protocol would be out of step.
//  2. While paused nothing is read beyond a buffer, so neither side's bytes are lost.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { Transform } from 'node:stream'

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
  /** Holds both directions back; connections stay open. */
  pause(): void
  /** Lets everything held back go on. */
  resume(): void
  /** Destroys all current connections; new ones are welcome. */
  cut(): void
  /** On: a new connection is closed at once; current ones go on. */
  refuse(on: boolean): void
}

/** @param targetUrl of one server, for example `nats://127.0.0.1:4222` */
export const startProxy = async (targetUrl: string): Promise<Proxy> => {
  const target = new URL(targetUrl)
  const sockets = new Map<Socket, Socket>()
  let isDropping = false
  let isPaused = false
  let isRefusing = false
  let swallowed = 0
  let waiting: (() => void)[] = []

  const gate = (isReply: boolean) =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        const pass = () => {
          if (!isReply || !isDropping) return done(null, chunk)
          swallowed += chunk.length
          done()
        }
        if (isPaused) waiting.push(pass)
        else pass()
      },
    })

  const resume = () => {
    isPaused = false
    const held = waiting
    waiting = []
    for (const pass of held) pass()
  }

  const cut = () => {
    for (const [client, upstream] of sockets) {
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
    sockets.set(client, upstream)
    client.once('close', () => {
      sockets.delete(client)
      upstream.destroy()
    })
    upstream.once('close', () => client.destroy())
    client.pipe(gate(false)).pipe(upstream)
    upstream.pipe(gate(true)).pipe(client)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo

  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    get connections() {
      return sockets.size
    },
    get swallowed() {
      return swallowed
    },
    dropReplies(on) {
      if (isDropping && !on) cut()
      isDropping = on
    },
    pause() {
      isPaused = true
    },
    resume,
    cut,
    refuse(on) {
      isRefusing = on
    },
    async [Symbol.asyncDispose]() {
      const closed = once(listener, 'close')
      listener.close()
      resume()
      cut()
      await closed
    },
  }
}
