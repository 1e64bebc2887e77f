// The transport on core NATS: one queue subscription per actor type, so the server hands a
// request for any node to one of those that serve the type, and one subject per node.

import type { Msg } from 'nats'

import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { raceSignal, throwIfAborted } from '../model/wait.js'
import type { Connection } from '../nats/connection.js'
import { answer, encodeRequest, readAnswer } from './answer.js'
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
      const work = answer(message.data, handle).then(bytes => {
        message.respond(bytes)
      })
      atWork.add(work)
      void work.finally(() => atWork.delete(work))
    }
    const subscriptions = await Promise.all([
      this.#connection.subscribe(this.#subjectOfNode(nodeId), take),
      ...types.map(type =>
        this.#connection.subscribe(this.#subjectOf(type), take, { queue }),
      ),
    ])
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
    const { type } = request.actor
    const subject = to === undefined ? this.#subjectOf(type) : this.#subjectOfNode(to)
    const reply = await raceSignal(
      this.#connection.requests.request(subject, body, timeout),
      signal,
    )
    throwIfAborted(signal, doing)
    switch (reply!.kind) {
      case 'message':
        return readAnswer(reply!.message.data)
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

  #subjectOfNode(id: string): string {
    return `cairn.${this.#namespace}.node.${id}`
  }

  #subjectOf(type: string): string {
    return `cairn.${this.#namespace}.ask.${type}`
  }
}
