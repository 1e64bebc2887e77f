// Messages over local sockets, and connections to nodes.
//
// A message is its length in 4 bytes, big-endian, followed by that many bytes of MessagePack. The node speaks
// first, with an empty message, the greeting. A caller that has received the greeting gets an answer, even from a node
// that is stopping. A caller that has not has sent nothing, and tries the next announcement. Without the greeting, a
// caller whose connection the system had accepted for a closing node could not know whether its command was received.

import { createConnection, type Socket } from 'node:net'

import { type Deferred, deferred, pause } from '../model/wait.js'

export const messageBytesMax = 64 * 1024 * 1024
/** Most milliseconds to wait for a node's greeting. */
const greetingTimeout = 2_000
/** Milliseconds before a busy process is tried again. */
const busyPause = 10

/** A connection whose node has sent its greeting. */
export interface GreetedConnection {
  readonly connection: Socket
  /** The message after the greeting. */
  readonly reply: Deferred<Uint8Array>
}

/**
 * Connects. `refused`: no process listens on the socket. `silent`: one does, and sends no greeting for two seconds.
 * `late`: it has sent none within `timeout`, which is shorter and tells nothing about the node.
 *
 * @param timeout milliseconds
 */
export async function connectToNode(
  path: string,
  timeout: number,
): Promise<GreetedConnection | 'refused' | 'silent' | 'late'> {
  const ungreeted = timeout < greetingTimeout ? 'late' : 'silent'
  const deadline = performance.now() + Math.min(timeout, greetingTimeout)
  for (;;) {
    const connected = await tryToConnect(path, deadline - performance.now())
    if (connected === 'silent') return ungreeted
    if (connected !== 'busy') return connected
    if (performance.now() >= deadline) return ungreeted
    await pause(busyPause)
  }
}

/** `busy`: as many connections as the system allows wait for the process to accept them. */
function tryToConnect(
  path: string,
  timeout: number,
): Promise<GreetedConnection | 'refused' | 'silent' | 'busy'> {
  return new Promise(resolve => {
    const connection = createConnection(path)
    const reply = deferred<Uint8Array>()
    const giveUp = () => {
      resolve('silent')
      connection.destroy()
    }
    // The greeting may have arrived while this process stood still: it is read before an immediate.
    const silent = setTimeout(() => setImmediate(giveUp), timeout)
    const refused = (error?: NodeJS.ErrnoException) => {
      clearTimeout(silent)
      resolve(error?.code === 'EAGAIN' ? 'busy' : 'refused')
    }
    const closed = () => refused()
    connection.once('error', refused)
    connection.once('close', closed)
    let isGreeted = false
    readMessages(connection, bytes => {
      // A first message that is not empty is not from a node; it is read as an invalid answer.
      if (isGreeted || bytes.length > 0) reply.resolve(bytes)
      if (isGreeted) return
      isGreeted = true
      clearTimeout(silent)
      connection.off('error', refused)
      connection.off('close', closed)
      resolve({ connection, reply })
    })
  })
}

export function sendGreeting(connection: Socket): void {
  writeMessage(connection, new Uint8Array())
}

export function writeMessage(connection: Socket, bytes: Uint8Array): void {
  if (connection.destroyed) return
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(bytes.length)
  connection.write(Buffer.concat([length, bytes]))
}

/** Sends a last message, and disconnects once it is sent. Nothing more is read. */
export function endWith(connection: Socket, bytes: Uint8Array): void {
  connection.removeAllListeners('data')
  connection.pause()
  writeMessage(connection, bytes)
  connection.destroySoon()
}

/**
 * Calls `receive` with each message, and `arrived` with how many bytes of the next one there are. Destroys the connection
 * over a message that is too large.
 */
export function readMessages(
  connection: Socket,
  receive: (bytes: Uint8Array) => void,
  arrived?: (bytes: number) => void,
): void {
  // Chunks are joined once they contain a whole message. Joining each on arrival would copy a
  // large message many times.
  let chunks: Buffer[] = []
  let have = 0
  let need = 4
  connection.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    have += chunk.length
    while (have >= need) {
      const pending: Buffer = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const end = 4 + pending.readUInt32BE(0)
      if (end > 4 + messageBytesMax) {
        connection.destroy()
        return
      }
      if (have >= end) receive(pending.subarray(4, end))
      const rest = have >= end ? pending.subarray(end) : pending
      need = have >= end ? 4 : end
      chunks = [rest]
      have = rest.length
    }
    arrived?.(have)
  })
}
