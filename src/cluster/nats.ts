// The transport on core NATS: one queue subscription per actor type, so the server hands a
// request for any node to one of those that serve the type, and one subject per node.

import type { Msg } from 'nats'

import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { throwIfAborted } from '../model/wait.js'
import type { Connection } from '../nats/connection.js'
import {
  answerRequest,
  encodeFailure,
  encodeRequest,
  readAnswer,
  tooLargeError,
} from './request-codec.js'
import {
  type NodeRequest,
  type RequestHandler,
  type RequestOptions,
  requestTimeoutDefault,
  type Serving,
  type Transport,
} from './transport.js'

const queue = 'nodes'

export class NatsTransport implements Transport {
  readonly #connection: Connection
  readonly #namespace: string
  readonly #serving = new Set<Serving>()

  constructor(connection: Connection, namespace: string) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const atWork = new Set<Promise<void>>()
    const take = (message: Msg) => {
      const work = answerRequest(message.data, handle).then(bytes =>
        this.#respond(message, bytes),
      )
      atWork.add(work)
      void work.finally(() => atWork.delete(work))
    }
    const made = await Promise.allSettled([
      this.#connection.subscribe(this.#subjectOfNode(nodeId), take),
      ...types.map(type =>
        this.#connection.subscribe(this.#subjectOf(type), take, { queue }),
      ),
    ])
    const subscriptions = made.flatMap(one =>
      one.status === 'fulfilled' ? [one.value] : [],
    )
    const failed = made.find(one => one.status === 'rejected')
    if (failed !== undefined) {
      // Half a node would answer for some of its types and leave the others unheard.
      for (const one of subscriptions) one.unsubscribe()
      throw failed.reason
    }
    const serving: Serving = {
      stop: async () => {
        this.#serving.delete(serving)
        // Draining delivers what the server has already sent here, and then ends.
        await Promise.all(subscriptions.map(one => one.drain()))
        await Promise.all(atWork)
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
    const limit = this.#connection.maxPayload
    if (body.length > limit)
      throw tooLargeError('request', body.length, `the server's max_payload is ${limit}`)
    const { type } = request.actor
    const subject = to === undefined ? this.#subjectOf(type) : this.#subjectOfNode(to)
    const { requests } = this.#connection
    const reply = await requests.request(subject, body, timeout, { signal })
    throwIfAborted(signal, doing)
    switch (reply.kind) {
      case 'message':
        return readAnswer(reply.message.data)
      case 'no-responders':
        throw new CairnError(
          'no-node',
          `No node of namespace ${this.#namespace} serves actor type ${request.actor.type}: ` +
            `start one with "node dist/node.js --ns ${this.#namespace} --actors FILE", or with --demo for the examples.`,
        )
      case 'forbidden':
        throw new CairnError(
          'unauthorized',
          `The NATS server does not let this user publish to ${subject}: check its permissions.`,
        )
      case 'not-sent':
        throw new CairnError(
          'queue-full',
          `Too many requests are in flight to send one to ${formatAddress(request.actor)} ` +
            `within ${timeout} ms; it was not sent. Slow down, or add nodes.`,
        )
      case 'disconnected':
        throw new CairnError(
          'answer-lost',
          `The connection to NATS broke before ${formatAddress(request.actor)} answered. ` +
            'Whether the command took effect is not known: ask again with the same command id.',
        )
      default:
        throw new CairnError(
          'deadline-exceeded',
          `${formatAddress(request.actor)} did not answer within ${timeout} ms. ` +
            'Whether the command took effect is not known: read the actor.',
        )
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#serving].map(one => one.stop()))
  }

  /** Never throws: an answer that cannot be sent is one that its caller will miss, and ask again for. */
  #respond(message: Msg, bytes: Uint8Array): void {
    const limit = this.#connection.maxPayload
    const fits = bytes.length <= limit
    const why = () =>
      tooLargeError('answer', bytes.length, `the server's max_payload is ${limit}`)
    try {
      message.respond(fits ? bytes : encodeFailure(why()))
    } catch {
      // The connection is closed, and with it the way back.
    }
  }

  #subjectOfNode(id: string): string {
    return `cairn.${this.#namespace}.node.${id}`
  }

  #subjectOf(type: string): string {
    return `cairn.${this.#namespace}.ask.${type}`
  }
}
