// The transport on core NATS: one queue subscription per actor type, so the server sends a
// request without a target to one of the nodes that serve the type, and one subject per node.

import type { Msg } from 'nats'

import { formatAddress } from '../model/address.js'
import { defined } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import { programs } from '../model/programs.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from '../nats/connection.js'
import { permissionError } from '../nats/errors.js'
import { nodeSubjects } from '../nats/subjects.js'
import {
  answerRequest,
  encodeFailure,
  encodeRequest,
  prepareRequest,
  readAnswer,
  tooLargeError,
  answerLost,
  notAnsweredInTime,
} from './request-codec.js'
import { ActiveRequests, Servings } from './serving.js'
import { StallWatch } from './stall-watch.js'
import type {
  NodeRequest,
  RequestHandler,
  RequestOptions,
  Serving,
  Transport,
} from './transport.js'

const queue = 'nodes'

export class NatsTransport implements Transport {
  readonly #connection: Connection
  readonly #namespace: string
  readonly #subjects: ReturnType<typeof nodeSubjects>
  readonly #servings = new Servings()

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
    this.#subjects = nodeSubjects(namespace)
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const active = new ActiveRequests()
    // The server answers a flush after everything that it has sent before.
    const stalls = new StallWatch(() => this.#connection.nc.flush())
    const receive = (message: Msg) =>
      active.add(
        answerRequest(message.data, handle, stalls.waited()).then(bytes =>
          this.#respond(message, bytes),
        ),
      )
    const results = await Promise.allSettled([
      this.#connection.subscribe(this.#subjects.node(nodeId), receive),
      ...types.map(type =>
        this.#connection.subscribe(this.#subjects.ask(type), receive, { queue }),
      ),
    ])
    const subscriptions = results.flatMap(one =>
      one.status === 'fulfilled' ? [one.value] : [],
    )
    const failed = results.find(one => one.status === 'rejected')
    if (failed !== undefined) {
      // A node must serve all of its types or none.
      for (const one of subscriptions) one.unsubscribe()
      stalls.close()
      throw failed.reason
    }
    return this.#servings.add(async () => {
      // Draining delivers the requests that the server has already sent.
      await Promise.all(subscriptions.map(one => one.drain()))
      stalls.close()
      await active.settled()
    })
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const { timeout, signal, to, doing } = prepareRequest(request, options)
    const start = performance.now()
    const { maxPayload } = this.#connection
    const body = encodeRequest(request, timeout, maxPayload, this.#sizeLimit)
    const { actor } = request
    const subject =
      to === undefined ? this.#subjects.ask(actor.type) : this.#subjects.node(to)
    const { requests, connected } = this.#connection
    if (!connected) await this.#connection.whenConnected(timeout, signal)
    throwIfAborted(signal, doing)
    const left = Math.floor(start + timeout - performance.now())
    if (left <= 0) throw this.#notSent(request, doing, timeout)
    const reply = await requests.request(subject, body, left, {
      signal,
      // A delivery of Cairn's own.
      isReserved: request.kind === 'ask' && request.redelivery !== undefined,
    })
    throwIfAborted(signal, doing)
    switch (reply.kind) {
      case 'message':
        return readAnswer(reply.message.data)
      case 'no-responders':
        throw new CairnError(
          'no-node',
          `No node of namespace ${this.#namespace} serves actor type ${actor.type}: ` +
            `start one with "${programs.node} --ns ${this.#namespace} --actors FILE", or with --demo for the examples.`,
        )
      case 'forbidden':
        throw permissionError(subject)
      case 'not-sent':
        throw new CairnError(
          'queue-full',
          `Too many requests are in flight to send one to ${formatAddress(actor)} ` +
            `within ${Math.round(timeout)} ms; it was not sent. Slow down, or add nodes.`,
        )
      case 'too-large':
        throw tooLargeError('request', body.length, this.#sizeLimit)
      case 'disconnected':
        throw answerLost(request, 'the connection to NATS was lost')
      default:
        throw notAnsweredInTime(request, timeout)
    }
  }

  #notSent(request: NodeRequest, doing: string, timeout: number): CairnError {
    const commandId = request.kind === 'ask' ? request.commandId : undefined
    return new CairnError(
      'store-unreachable',
      `Stopped ${doing} after ${Math.round(timeout)} ms: ${this.#connection.whySilent(Date.now() - timeout)}. ` +
        'Nothing was sent; the call may be repeated.',
      { details: defined({ commandId }) },
    )
  }

  close(): Promise<void> {
    return this.#servings.close()
  }

  /** Never throws: if the answer cannot be sent, the caller times out and asks again. */
  #respond(message: Msg, bytes: Uint8Array): void {
    const fits = bytes.length <= this.#connection.maxPayload
    const error = () => tooLargeError('answer', bytes.length, this.#sizeLimit)
    try {
      message.respond(fits ? bytes : encodeFailure(error()))
    } catch {
      // The connection is closed.
    }
  }

  get #sizeLimit(): string {
    return `the server's max_payload is ${this.#connection.maxPayload}`
  }
}
