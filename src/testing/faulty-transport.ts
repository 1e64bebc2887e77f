// A transport whose requests come twice, and whose answers are lost where a way is cut.

import { formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'
import { raceSignal } from '../model/wait.js'
import type {
  NodeRequest,
  RequestHandler,
  RequestOptions,
  Serving,
  Transport,
} from '../cluster/transport.js'
import type { Faults } from './faults.js'
import { type Line, turn } from './line.js'

export class FaultyTransport implements Transport {
  readonly #base: Transport
  readonly #faults: Faults
  readonly #line: Line
  #isClosed = false

  constructor(base: Transport, faults: Faults, line: Line) {
    this.#base = base
    this.#faults = faults
    this.#line = line
  }

  serve(
    nodeId: string,
    types: readonly string[],
    handle: RequestHandler,
  ): Promise<Serving> {
    return this.#base.serve(nodeId, types, (request, options) => {
      this.#line.check()
      return this.#line.up('request is handled', handle(request, options))
    })
  }

  async request(request: NodeRequest, options: RequestOptions = {}): Promise<unknown> {
    const faults = this.#faults
    const { topology } = faults
    const { nodeId } = this.#line
    const { to } = options
    this.#line.check()
    if (this.#isClosed) throw closed(nodeId)
    // Without a receiver it goes to any node, and no way between two can be cut.
    if (to === undefined)
      return this.#line.up('answer arrives', this.#base.request(request, options))
    if (topology.hasCrashed(to)) throw nobody(request, to)
    if (!topology.reaches(nodeId, to)) {
      faults.count('requestsLost')
      throw lostOnTheWay(request, to)
    }
    const send = async () => {
      const arrival = this.#line.moment(
        `request for ${formatAddress(request.actor)} arrives at ${to}`,
      )
      if (arrival !== undefined) await arrival
      return this.#line.up(
        `answer of ${to} for ${formatAddress(request.actor)} arrives`,
        this.#base.request(request, options),
      )
    }
    if (faults.happens('duplicateRequests', nodeId)) {
      faults.count('requestsDuplicated')
      this.#line.underWay(turn(faults.turns(nodeId)).then(send))
    }
    return topology.pass(nodeId, to, async lost => {
      const answer = await raceSignal(send(), lost)
      this.#line.check()
      if (!lost.aborted) return answer
      faults.count('requestsLost')
      throw lostOnTheWay(request, to)
    })
  }

  close(): Promise<void> {
    this.#isClosed = true
    return this.#base.close()
  }
}

function closed(nodeId: string): CairnError {
  return new CairnError(
    'store-closed',
    `Node ${nodeId} is closed and sends nothing any more: send through another one.`,
  )
}

function nobody({ actor }: NodeRequest, to: string): CairnError {
  return new CairnError(
    'no-node',
    `Node ${to} has crashed: nobody is there to take the request for ${formatAddress(actor)}.`,
  )
}

function lostOnTheWay({ actor }: NodeRequest, to: string): CairnError {
  return new CairnError(
    'answer-lost',
    `The way to node ${to} was cut before it answered for ${formatAddress(actor)} (a fault of the ` +
      'test). Whether the command took effect is not known: ask again with its command id.',
  )
}
