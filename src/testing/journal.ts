// The journal: every command sent through a cluster's nodes, and what its sender was told.
//
// Owns that list. `begun` and `ended` are ticks of one order: a command whose `begun` is greater
// than another's `ended` was sent after the other's answer was known.

import { detachPlain } from '../actor/detach.js'
import type { ActorAddress } from '../model/address.js'
import { isCairnError } from '../model/errors.js'
import type { AskOutcome, RedeliveryOptions } from '../model/command-sender.js'

export interface Sent {
  readonly kind: 'ask' | 'tell'
  readonly nodeId: string
  readonly actor: ActorAddress
  readonly command: string
  readonly data: unknown
  readonly options: RedeliveryOptions
  readonly begun: number
  /** The cluster's clock then. */
  readonly at: number
  /** The command's id: as it was given, or as an error told it. */
  id: string | undefined
  ended?: {
    readonly tick: number
    readonly at: number
    readonly outcome?: AskOutcome
    readonly error?: unknown
  }
}

/** A command whose outcome its sender knows. */
export interface Answered extends Sent {
  readonly ended: {
    readonly tick: number
    readonly at: number
    readonly outcome: AskOutcome
  }
}

export class Journal {
  readonly sent: Sent[] = []
  readonly #now: () => number
  #tick = 0
  #open = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Commands that nobody has an answer to yet. */
  get open(): number {
    return this.#open
  }

  get answered(): Answered[] {
    return this.sent.filter((one): one is Answered => one.ended?.outcome !== undefined)
  }

  async ask(
    command: Pick<Sent, 'nodeId' | 'actor' | 'command' | 'data' | 'options'>,
    work: () => Promise<AskOutcome>,
  ): Promise<AskOutcome> {
    const sent = this.#begin('ask', command)
    return this.#end(sent, work, outcome => ({ outcome: detachPlain(outcome) }))
  }

  async tell(
    command: Pick<Sent, 'nodeId' | 'actor' | 'command' | 'data' | 'options'>,
    work: () => Promise<void>,
  ): Promise<void> {
    const sent = this.#begin('tell', command)
    return this.#end(sent, work, () => ({}))
  }

  #begin(
    kind: Sent['kind'],
    { nodeId, actor, command, data, options }: Omit<Sent, 'kind' | 'begun' | 'at' | 'id'>,
  ): Sent {
    const sent: Sent = {
      kind,
      nodeId,
      actor,
      command,
      // The sender may change what it holds; what was sent stays as it was.
      data: detachPlain(data),
      options,
      begun: ++this.#tick,
      at: this.#now(),
      id: options.commandId,
    }
    this.sent.push(sent)
    return sent
  }

  async #end<T>(
    sent: Sent,
    work: () => Promise<T>,
    keep: (result: T) => { outcome?: AskOutcome },
  ): Promise<T> {
    this.#open++
    try {
      const result = await work()
      sent.ended = { ...this.#moment(), ...keep(result) }
      return result
    } catch (error) {
      if (isCairnError(error) && typeof error.details.commandId === 'string')
        sent.id ??= error.details.commandId
      sent.ended = { ...this.#moment(), error }
      throw error
    } finally {
      this.#open--
    }
  }

  #moment() {
    return { tick: ++this.#tick, at: this.#now() }
  }
}
