// The transport between processes of one machine that share an embedded directory: one
// local socket per node.
//
// A node announces itself in a file, `<dir>/<namespace>.nodes/<node id>.json`, with the path of its socket
// and the types that it serves. The socket itself is in the system's temporary folder
// (a named pipe on Windows): the length of socket paths is limited, that of data directories is not.
// A caller that finds the announcement of a node that no longer listens removes it; a node that lives writes its own
// again (KEPT-1).
// Socket and announcement are for the user of the node alone: another user of the machine can neither find the node nor
// connect to it.

import { randomUUID } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { abortedError, deferred, pause, withTimeout } from '../model/wait.js'
import {
  listAnnouncements,
  readAnnouncement,
  removeAnnouncement,
} from './announcement-files.js'
import { KeptAnnouncement } from './kept-announcement.js'
import {
  answerRequest,
  encodeFailure,
  encodeRequest,
  prepareRequest,
  readAnswer,
  tooLargeError,
  answerLost,
  notAnsweredInTime,
  notSentInTime,
} from './request-codec.js'
import { ActiveRequests, Servings } from './serving.js'
import {
  connectToNode,
  endWith,
  type GreetedConnection,
  messageBytesMax,
  readMessages,
  sendGreeting,
  writeMessage,
} from './socket-messages.js'
import { type SocketBounds, SocketGuard } from './socket-guard.js'
import { StallWatch } from './stall-watch.js'
import type {
  NodeRequest,
  RequestHandler,
  RequestOptions,
  Serving,
  Transport,
} from './transport.js'

interface SocketAnnouncement {
  readonly socket: string
  readonly types: readonly string[]
}

/** Milliseconds that a stopping node waits for the requests of callers that it has greeted. */
const greetedTimeout = 1_000
const sizeLimit = `the limit is ${messageBytesMax}`

export class SocketTransport implements Transport {
  /** Each request has a socket of its own, and a process has few. */
  readonly windowMax = 128
  /** The folder of the announcements. */
  readonly #folder: string
  readonly #namespace: string
  readonly #bounds: SocketBounds
  readonly #servings = new Servings()

  constructor(dir: string, namespace: string, bounds: SocketBounds = {}) {
    this.#folder = join(dir, `${namespace}.nodes`)
    this.#namespace = namespace
    this.#bounds = bounds
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const socket = await newSocketPath()
    const connections = new Set<Socket>()
    const active = new ActiveRequests()
    const stalls = new StallWatch(readSockets)
    const guard = new SocketGuard(this.#bounds, (connection, error) => {
      if (error === undefined) connection.destroySoon()
      else endWith(connection, encodeFailure(error))
    })
    const server = createServer(connection => {
      connections.add(connection)
      guard.add(connection)
      sendGreeting(connection)
      connection.once('close', () => {
        connections.delete(connection)
        guard.remove(connection)
      })
      // A caller may disconnect at any time.
      connection.on('error', () => connection.destroy())
      readMessages(
        connection,
        bytes => {
          const work = answerRequest(bytes, handle, stalls.waited()).then(answer =>
            writeMessage(connection, withinLimit(answer)),
          )
          active.add(work)
          guard.handle(connection, work)
        },
        bytes => guard.arrived(connection, bytes),
      )
    })
    await listen(server, socket)
    // Its folder is for this user alone, too.
    if (process.platform !== 'win32') await chmod(socket, 0o600)
    const path = join(this.#folder, `${nodeId}.json`)
    const announcement = await KeptAnnouncement.write(path, { socket, types })
    return this.#servings.add(async () => {
      await announcement.stop()
      const ended = deferred<void>()
      server.close(() => ended.resolve())
      // A greeted caller is about to send its request, and disconnects after the answer.
      const waited = new AbortController()
      await Promise.race([ended.promise, pause(greetedTimeout, waited.signal)])
      waited.abort()
      while (active.size > 0) await active.settled()
      stalls.close()
      guard.close()
      for (const connection of connections) connection.end()
      if (process.platform !== 'win32')
        await rm(dirname(socket), { recursive: true, force: true })
    })
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const { timeout, signal, to, doing } = prepareRequest(request, options)
    const deadline = performance.now() + timeout
    const connected = await this.#connect(request.actor.type, to, deadline)
    const left = deadline - performance.now()
    if (signal?.aborted || left <= 0 || connected === undefined) {
      connected?.connection.destroy()
      throw signal?.aborted
        ? abortedError(signal, doing)
        : notSentInTime(request, timeout)
    }
    const { connection, reply } = connected
    const lost = (why: string) => reply.reject(answerLost(request, why))
    try {
      const body = encodeRequest(request, left, messageBytesMax, sizeLimit)
      connection.on('error', error => lost(error.message))
      connection.once('close', () => lost('the node closed the connection'))
      if (connection.destroyed) lost('the node closed the connection')
      writeMessage(connection, body)
      const late = () => notAnsweredInTime(request, timeout)
      return readAnswer(await withTimeout(reply.promise, left, late, signal, doing))
    } finally {
      connection.destroy()
    }
  }

  close(): Promise<void> {
    return this.#servings.close()
  }

  /** Connects to the given node, or to any that serves the type; `undefined` if the deadline has passed. */
  async #connect(
    type: string,
    to: string | undefined,
    deadline: number,
  ): Promise<GreetedConnection | undefined> {
    const names =
      to === undefined ? await listAnnouncements(this.#folder) : [`${to}.json`]
    for (const name of names) {
      const path = join(this.#folder, name)
      const announcement = await readAnnouncement<SocketAnnouncement>(
        path,
        isSocketAnnouncement,
      )
      if (announcement === undefined) continue
      if (to === undefined && !announcement.types.includes(type)) continue
      const left = deadline - performance.now()
      if (left <= 0) return undefined
      const connected = await connectToNode(announcement.socket, left)
      if (typeof connected === 'object') return connected
      if (connected === 'late') return undefined
      if (connected === 'refused') await removeAnnouncement(path, announcement)
    }
    throw new CairnError(
      'no-node',
      `No running node of namespace ${this.#namespace} serves actor type ${type} in this directory: ` +
        `start one with "${programs.node} --ns ${this.#namespace} --embedded DIR --actors FILE" (or --demo for the ` +
        'examples), or pass --actors FILE or --demo here too.',
    )
  }
}

/** Resolves once the sockets that have data now have been read: each turn of the event loop reads all of them. */
async function readSockets(): Promise<void> {
  for (let turn = 0; turn < 2; turn++)
    await new Promise<void>(resolve => setImmediate(resolve))
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

/** The answer, or an error in its place if it is too large. */
function withinLimit(answer: Uint8Array): Uint8Array {
  if (answer.length <= messageBytesMax) return answer
  return encodeFailure(tooLargeError('answer', answer.length, sizeLimit))
}
