// The transport within one process: a table of the nodes that serve. Requests and answers are
// encoded all the same, so that they share no objects, as with any other transport.

import { CairnError } from '../model/errors.js'
import { withTimeout } from '../model/wait.js'
import {
  answerRequest,
  encodeRequest,
  prepareRequest,
  readAnswer,
  notAnsweredInTime,
} from './request-codec.js'
import { ActiveRequests, Servings } from './serving.js'
import type {
  NodeRequest,
  RequestHandler,
  RequestOptions,
  Serving,
  Transport,
} from './transport.js'

interface Server {
  readonly nodeId: string
  readonly types: readonly string[]
  readonly handle: RequestHandler
  readonly active: ActiveRequests
}

/** Shared by the transports of one namespace. */
export type MemoryNetwork = Set<Server>

export class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork
  readonly #servings = new Servings()

  constructor(network: MemoryNetwork) {
    this.#network = network
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const server: Server = { nodeId, types, handle, active: new ActiveRequests() }
    this.#network.add(server)
    return this.#servings.add(async () => {
      this.#network.delete(server)
      await server.active.settled()
    })
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const { timeout, signal, to, doing } = prepareRequest(request, options)
    const { actor } = request
    const server = [...this.#network].find(({ nodeId, types }) =>
      to === undefined ? types.includes(actor.type) : nodeId === to,
    )
    if (server === undefined)
      throw new CairnError(
        'no-node',
        `No node in this process serves actor type ${actor.type}: pass its definition to startNode({ actors }).`,
      )
    const body = encodeRequest(request, timeout, Infinity, '')
    const work = answerRequest(body, server.handle)
    server.active.add(work)
    const late = () => notAnsweredInTime(request, timeout)
    return readAnswer(await withTimeout(work, timeout, late, signal, doing))
  }

  close(): Promise<void> {
    return this.#servings.close()
  }
}
