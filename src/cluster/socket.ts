// The transport between processes of one machine that share an embedded directory: one
// local socket a node.
//
// A node leaves a card, `<dir>/<namespace>.nodes/<node id>.json`, that says where its socket
// is and which types it serves. The socket itself stands in the system's temporary folder
// (a named pipe on Windows): socket paths are short by law, data directories need not be.
// A card whose node no longer answers is cleared away by whoever finds it.
//
// A message is 4 bytes of length, big-endian, and so many bytes of MessagePack. The node speaks
// first, with an empty one: who has heard it is answered, even by a node that is stopping; who
// has not has sent nothing, and goes to the next card. Without it, a caller whose connection
// the system had taken in for a node that was just closing could not know what became of its
// command.

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import {
  abortedError,
  type Deferred,
  deferred,
  pause,
  throwIfAborted,
  withTimeout,
} from '../model/wait.js'
import {
  answerRequest,
  encodeFailure,
  encodeRequest,
  readAnswer,
  tooLargeError,
} from './request-codec.js'
import {
  writeAnnouncement,
  readAnnouncement,
  listAnnouncements,
} from './announcement-files.js'
import {
  type NodeRequest,
  type RequestHandler,
  type RequestOptions,
  requestTimeoutDefault,
  type Serving,
  type Transport,
} from './transport.js'

interface SocketAnnouncement {
  readonly socket: string
  readonly types: readonly string[]
}

/** Milliseconds until a node that was reached must say something. */
const greetingTimeout = 2_000
/** Milliseconds that a stopping node waits for what it has greeted to be sent. */
const greetedTimeout = 1_000
const messageBytesMax = 64 * 1024 * 1024

export class SocketTransport implements Transport {
  readonly #announcements: string
  readonly #namespace: string
  readonly #serving = new Set<Serving>()

  constructor(dir: string, namespace: string) {
    this.#announcements = join(dir, `${namespace}.nodes`)
    this.#namespace = namespace
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const socket = await newSocketPath()
    const connections = new Set<Socket>()
    const atWork = new Set<Promise<void>>()
    const server = createServer(connection => {
      connections.add(connection)
      writeMessage(connection, new Uint8Array())
      connection.once('close', () => connections.delete(connection))
      // A caller that goes away in the middle is its own affair.
      connection.on('error', () => connection.destroy())
      readMessages(connection, bytes => {
        const work = answerRequest(bytes, handle).then(reply =>
          writeMessage(
            connection,
            reply.length > messageBytesMax ? failed(reply) : reply,
          ),
        )
        atWork.add(work)
        void work.finally(() => atWork.delete(work))
      })
    })
    await listen(server, socket)
    const card = join(this.#announcements, `${nodeId}.json`)
    await writeAnnouncement(card, { socket, types })
    const serving: Serving = {
      stop: async () => {
        this.#serving.delete(serving)
        await rm(card, { force: true })
        const ended = deferred<void>()
        server.close(() => ended.resolve())
        // Whoever was greeted is about to send, and hangs up with its answer.
        const tooLong = new AbortController()
        await Promise.race([ended.promise, pause(greetedTimeout, tooLong.signal)])
        tooLong.abort()
        while (atWork.size > 0) await Promise.all(atWork)
        for (const connection of connections) connection.end()
        if (process.platform !== 'win32')
          await rm(dirname(socket), { recursive: true, force: true })
      },
    }
    this.#serving.add(serving)
    return serving
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const { timeout = requestTimeoutDefault, signal, to } = options
    const doing = `asking ${formatAddress(request.actor)}`
    throwIfAborted(signal, doing)
    const body = encodeRequest(request, timeout)
    if (body.length > messageBytesMax)
      throw tooLargeError('request', body.length, `the limit is ${messageBytesMax}`)
    const { connection, reply } = await this.#connect(request.actor.type, to)
    if (signal?.aborted) {
      connection.destroy()
      throw abortedError(signal, doing) // Nothing was sent.
    }
    const unanswered = (code: 'answer-lost' | 'deadline-exceeded', why: string) =>
      new CairnError(
        code,
        `${formatAddress(request.actor)} did not answer: ${why}. Whether the command took ` +
          'effect is not known: ask again with the same command id.',
      )
    try {
      connection.on('error', error =>
        reply.reject(unanswered('answer-lost', error.message)),
      )
      connection.once('close', () =>
        reply.reject(unanswered('answer-lost', 'the node went away')),
      )
      if (connection.destroyed)
        reply.reject(unanswered('answer-lost', 'the node went away'))
      writeMessage(connection, body)
      const late = () => unanswered('deadline-exceeded', `no answer within ${timeout} ms`)
      return readAnswer(await withTimeout(reply.promise, timeout, late, signal, doing))
    } finally {
      connection.destroy()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#serving].map(one => one.stop()))
  }

  /** A connection to the node named, or to any that serves the type. */
  async #connect(type: string, to: string | undefined): Promise<GreetedConnection> {
    const names =
      to === undefined ? await listAnnouncements(this.#announcements) : [`${to}.json`]
    for (const name of names) {
      const path = join(this.#announcements, name)
      const card = await readAnnouncement<SocketAnnouncement>(path, isSocketAnnouncement)
      if (card === undefined || (to === undefined && !card.types.includes(type))) continue
      const line = await dial(card.socket)
      if (typeof line === 'object') return line
      if (line === 'gone') await rm(path, { force: true })
    }
    throw new CairnError(
      'no-node',
      `No running node of namespace ${this.#namespace} serves actor type ${type} in this directory: ` +
        `start one with "node dist/node.js --ns ${this.#namespace} --embedded DIR --actors FILE" (or --demo for the ` +
        'examples), or pass --actors FILE or --demo here too.',
    )
  }
}

async function newSocketPath(): Promise<string> {
  if (process.platform === 'win32') return `\\\\.\\pipe\\cairn-${randomUUID()}`
  return join(await mkdtemp(join(tmpdir(), 'cairn-')), 'node.sock')
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function isSocketAnnouncement({ socket, types }: Partial<SocketAnnouncement>): boolean {
  return typeof socket === 'string' && Array.isArray(types)
}

/** A connection that a node has greeted, and the message that comes next. */
interface GreetedConnection {
  readonly connection: Socket
  readonly reply: Deferred<Uint8Array>
}

/** `gone`: nobody listens there any more. `silent`: somebody does, and is not at work. */
function dial(path: string): Promise<GreetedConnection | 'gone' | 'silent'> {
  return new Promise(resolve => {
    const connection = createConnection(path)
    const reply = deferred<Uint8Array>()
    const silent = setTimeout(() => {
      resolve('silent')
      connection.destroy()
    }, greetingTimeout)
    const gone = () => {
      clearTimeout(silent)
      resolve('gone')
    }
    connection.once('error', gone)
    connection.once('close', gone)
    let greeted = false
    readMessages(connection, bytes => {
      // What speaks otherwise is no node, and is heard out like a wrong answer.
      if (greeted || bytes.length > 0) reply.resolve(bytes)
      if (greeted) return
      greeted = true
      clearTimeout(silent)
      connection.off('error', gone)
      connection.off('close', gone)
      resolve({ connection, reply })
    })
  })
}

function failed(reply: Uint8Array): Uint8Array {
  return encodeFailure(
    tooLargeError('answer', reply.length, `the limit is ${messageBytesMax}`),
  )
}

function writeMessage(connection: Socket, bytes: Uint8Array): void {
  if (connection.destroyed) return
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(bytes.length)
  connection.write(Buffer.concat([length, bytes]))
}

function readMessages(connection: Socket, receive: (bytes: Uint8Array) => void): void {
  // Chunks are put together once they hold a whole message: each on arrival would copy a
  // large one again and again.
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
  })
}
