// The transport within one process: a table of who serves what. Requests and answers are
// encoded all the same, so that nothing is shared that another transport would copy.

import { CairnError } from '../model/errors.js'
import { throwIfAborted, withTimeout } from '../model/wait.js'
import { formatAddress } from '../model/address.js'
import { answerRequest, encodeRequest, readAnswer } from './request-codec.js'
import {
  type NodeRequest,
  type RequestHandler,
  type RequestOptions,
  requestTimeoutDefault,
  type Serving,
  type Transport,
} from './transport.js'

interface Server {
  readonly nodeId: string
  readonly types: readonly string[]
  readonly handle: RequestHandler
  readonly atWork: Set<Promise<unknown>>
}

/** Shared by the transports of one namespace. */
export type MemoryNetwork = Set<Server>

export class MemoryTransport implements Transport {
  readonly #network: MemoryNetwork
  readonly #serving = new Set<Serving>()

  constructor(network: MemoryNetwork) {
    this.#network = network
  }

  async serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    const server: Server = { nodeId, types, handle, atWork: new Set() }
    this.#network.add(server)
    const serving: Serving = {
      stop: async () => {
        this.#serving.delete(serving)
        this.#network.delete(server)
        await Promise.all(server.atWork)
      },
    }
    this.#serving.add(serving)
    return serving
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const { timeout = requestTimeoutDefault, signal, to } = options
    const { type } = request.actor
    const doing = `asking ${formatAddress(request.actor)}`
    throwIfAborted(signal, doing)
    const server = [...this.#network].find(({ nodeId, types }) =>
      to === undefined ? types.includes(type) : nodeId === to,
    )
    if (server === undefined)
      throw new CairnError(
        'no-node',
        `No node in this process serves actor type ${type}: pass its definition to startNode({ actors }).`,
      )
    const work = answerRequest(encodeRequest(request, timeout), server.handle)
    server.atWork.add(work)
    void work.finally(() => server.atWork.delete(work))
    const late = () =>
      new CairnError(
        'deadline-exceeded',
        `${formatAddress(request.actor)} did not answer within ${timeout} ms. ` +
          'Whether the command took effect is not known: read the actor.',
      )
    return readAnswer(await withTimeout(work, timeout, late, signal, doing))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#serving].map(one => one.stop()))
  }
}
