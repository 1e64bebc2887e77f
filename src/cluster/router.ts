// The router: sends a command to the node that owns the actor, wherever that is.
//
// The sender computes the owner from its own view of the members; the receiver checks with
// its view. Views that differ cost a redirect, bounded; after that the receiver does the work
// itself, which is safe, since the store judges.
//
// T1. A command goes to its owner, or to whom the owner names, at most `hopsMax` times.
// T2. "Nobody there" means that nothing was delivered: the node is suspected, and the command
//     goes to the new owner at once.
// T3. A lost answer means that nobody knows: the command is sent again under its own id,
//     which acts once, until its deadline. To its receiver every id is one that may have been
//     sent before: a first sending can lie unread while a second is carried out elsewhere.
// T4. The deadline is the caller's and travels with the command: each hop has what is left.

import { setMaxListeners } from 'node:events'

import { type ActorAddress, formatAddress } from '../model/address.js'
import { definedCauses } from '../model/causes.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { newId } from '../model/id.js'
import type {
  AskOutcome,
  CommandSender,
  RedeliveryOptions,
} from '../model/command-sender.js'
import { show } from '../model/show.js'
import { abortedError, type Deferred, deferred, pause } from '../model/wait.js'
import type { Membership } from './membership.js'
import { type Candidate, ownerOf } from './placement.js'
import { type AskRequest, requestTimeoutDefault, type Transport } from './transport.js'

export interface RouterOptions {
  readonly nodeId: string
  readonly membership: Membership
  readonly transport: Transport
  /** Carries out what this node owns. */
  readonly local: CommandSender
  /** Whether this node hosts the type at all. */
  readonly hosts: (type: string) => boolean
}

/** One command on its way. */
interface RoutedCommand<Outcome> {
  readonly actor: ActorAddress
  readonly commandType: string
  readonly data: unknown
  readonly options: RedeliveryOptions
  /** Carries it out on this node. */
  runLocally(bounds: RedeliveryOptions): Promise<Outcome>
  readonly isTold: boolean
}

/** What waits for the answers of one node. */
interface OwnerWait {
  /** Fires when the node has died, or this one closes: one signal for all, as each costs some µs. */
  readonly ended: AbortController
  open: number
}

export interface RouterStats {
  readonly local: number
  readonly remote: number
  readonly redirects: number
  /** Commands sent again because their answer was lost or nobody was there. */
  readonly resent: number
}

/** Errors after which the same command, under the same id, may be sent again. */
const passing = ['node-closed', 'answer-lost'] as const
/** How often a command is passed on before whoever has it does it. */
const hopsMax = 3
/** Milliseconds before another try where nothing has changed yet. */
const retryPause = 25

export class Router implements CommandSender {
  readonly #options: RouterOptions
  #local = 0
  #remote = 0
  #redirects = 0
  #resent = 0
  /** Commands that other nodes have not answered yet. */
  #open = 0
  #allAnswered: Deferred<void> | undefined
  /** By the node's id: what ends the waits for it. */
  readonly #waits = new Map<string, OwnerWait>()
  #isClosed = false

  constructor(options: RouterOptions) {
    this.#options = options
    const { membership } = options
    membership.onChange(({ dead }) => {
      for (const { id } of dead) {
        this.#waits.get(id)?.ended.abort()
        this.#waits.delete(id)
      }
      const there = new Set(membership.members().map(({ id }) => id))
      for (const [id, { open }] of this.#waits)
        if (open === 0 && !there.has(id)) this.#waits.delete(id)
    })
  }

  stats(): RouterStats {
    return {
      local: this.#local,
      remote: this.#remote,
      redirects: this.#redirects,
      resent: this.#resent,
    }
  }

  /** The member that owns the actor in this node's view. */
  ownerOf(actor: ActorAddress): Candidate | undefined {
    return ownerOf(actor, this.#options.membership.members())
  }

  /** Whether the actor is this node's in its own view. */
  isOurs(actor: ActorAddress): boolean {
    const owner = this.ownerOf(actor)
    return owner === undefined || owner.id === this.#options.nodeId
  }

  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: RedeliveryOptions = {},
  ): Promise<AskOutcome> {
    const here = (bounds: RedeliveryOptions) =>
      this.#options.local.ask(actor, commandType, data, bounds)
    return this.#route({
      actor,
      commandType,
      data,
      options,
      runLocally: here,
      isTold: false,
    })
  }

  tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options: RedeliveryOptions = {},
  ): Promise<void> {
    const here = (bounds: RedeliveryOptions) =>
      this.#options.local.tell(actor, commandType, data, bounds)
    return this.#route({
      actor,
      commandType,
      data,
      options,
      runLocally: here,
      isTold: true,
    })
  }

  /**
   * Waits for what was sent to other nodes, for at most `timeout` ms; what is unanswered then
   * ends with `answer-lost`, which names the command's id.
   */
  async close(timeout: number): Promise<void> {
    if (this.#open > 0) {
      this.#allAnswered ??= deferred<void>()
      const inTime = new AbortController()
      const answered = this.#allAnswered.promise.then(() => inTime.abort())
      await Promise.race([answered, pause(timeout, inTime.signal)])
      this.#isClosed = true
      for (const { ended } of this.#waits.values()) ended.abort()
      await answered
    }
    this.#isClosed = true
  }

  #route<Outcome>(sending: RoutedCommand<Outcome>): Promise<Outcome> {
    try {
      const owner = this.#firstOwner(sending.actor)
      if (owner === this.#options.nodeId) {
        this.#local++
        return sending.runLocally(sending.options)
      }
      this.#remote++
      return this.#sendUntilAnswered(sending, owner)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async #sendUntilAnswered<Outcome>(
    sending: RoutedCommand<Outcome>,
    first: string,
  ): Promise<Outcome> {
    this.#open++
    try {
      return await this.#sendAgain(sending, first)
    } finally {
      if (--this.#open === 0) this.#allAnswered?.resolve()
    }
  }

  /** From node to node until one carries it out (T1 to T4). */
  async #sendAgain<Outcome>(
    {
      actor,
      commandType,
      data,
      options,
      runLocally: here,
      isTold,
    }: RoutedCommand<Outcome>,
    first: string,
  ): Promise<Outcome> {
    const { timeout = requestTimeoutDefault, signal } = options
    const { commandId = newId(), sentAt, notHandledAt, commitPosition, firing } = options
    const deadline = performance.now() + timeout
    const doing = () => `command ${show(commandType)} to ${formatAddress(actor)}`
    let owner = first
    const gone = new Set<string>()
    for (let hops = 0; ;) {
      if (signal?.aborted) throw abortedError(signal, doing())
      if (this.#isClosed) throw closedError(doing(), commandId)
      const left = Math.floor(deadline - performance.now())
      if (left <= 0) throw deadlineExceeded(doing(), timeout, commandId)
      if (owner === this.#options.nodeId)
        return here({ ...options, commandId, timeout: left })
      const request: AskRequest = {
        kind: 'ask',
        actor,
        command: commandType,
        data,
        commandId,
        hops,
        ...(isTold && { isTold }),
        ...(gone.size > 0 && { gone: [...gone] }),
        ...(sentAt !== undefined && { sentAt }),
        ...(notHandledAt !== undefined && { since: notHandledAt }),
        ...(commitPosition !== undefined && { saidAt: commitPosition }),
        ...(firing !== undefined && { firing }),
        ...definedCauses(options),
      }
      try {
        return (await this.#sendTo(request, owner, left, signal)) as Outcome
      } catch (error) {
        if (isCairnError(error, 'no-node')) gone.add(owner)
        owner = await this.#next(actor, owner, error)
        if (isCairnError(error, 'not-owner')) hops++
      }
    }
  }

  /** One attempt; given up as `answer-lost` when the node leaves before it has answered (T3). */
  async #sendTo(
    request: AskRequest,
    owner: string,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const waits = this.#waitsFor(owner)
    const ended = waits.ended.signal
    const either = signal === undefined ? ended : AbortSignal.any([ended, signal])
    waits.open++
    try {
      const options = { timeout, to: owner, signal: either }
      return await this.#options.transport.request(request, options)
    } catch (error) {
      const isOurDoing = ended.aborted && !signal?.aborted
      if (!isOurDoing || !isCairnError(error, 'aborted')) throw error
      throw new CairnError(
        'answer-lost',
        `Node ${owner} left before it answered for ${formatAddress(request.actor)}.`,
      )
    } finally {
      waits.open--
    }
  }

  #waitsFor(owner: string): OwnerWait {
    let waits = this.#waits.get(owner)
    if (waits === undefined) {
      waits = { ended: new AbortController(), open: 0 }
      setMaxListeners(0, waits.ended.signal)
      this.#waits.set(owner, waits)
    }
    return waits
  }

  /**
   * What a request that reached this node is for: throws `not-owner` where another should have it.
   * Whom its sender found gone is gone for this node, too, until it says otherwise: without, the
   * two would send the command to and fro until the death is noticed here.
   */
  checkOwner(actor: ActorAddress, hops: number, gone: readonly string[] = []): void {
    const { nodeId, membership } = this.#options
    for (const id of gone) if (id !== nodeId) membership.suspect(id)
    const owner = this.ownerOf(actor)
    if (owner === undefined || owner.id === nodeId || hops >= hopsMax) return
    throw new CairnError(
      'not-owner',
      `${formatAddress(actor)} belongs to node ${owner.id}, not to ${nodeId}: ask there.`,
      { details: { owner: owner.id } },
    )
  }

  /** The owner to begin with; this node itself where no member hosts the type but it does. */
  #firstOwner(actor: ActorAddress): string {
    const owner = this.ownerOf(actor)
    if (owner !== undefined) return owner.id
    const { nodeId, hosts } = this.#options
    if (hosts(actor.type)) return nodeId
    throw noNodeError(actor)
  }

  /** Where to go after an error, or the error itself where there is no use in going on. */
  async #next(actor: ActorAddress, tried: string, error: unknown): Promise<string> {
    const { membership } = this.#options
    if (isCairnError(error, 'not-owner')) {
      this.#redirects++
      const named = error.details.owner
      return typeof named === 'string' ? named : this.#firstOwner(actor)
    }
    if (isCairnError(error, 'no-node'))
      membership.suspect(tried) // T2
    else if (!passing.some(code => isCairnError(error, code))) throw error
    this.#resent++
    const owner = this.#firstOwner(actor)
    if (owner === tried) await pause(retryPause)
    return owner
  }
}

function noNodeError({ type, id }: ActorAddress): CairnError {
  return new CairnError(
    'no-node',
    `No living node hosts actor type ${type}, so ${type}/${id} cannot be asked: start one that does.`,
    { details: { type } },
  )
}

function closedError(doing: string, commandId: string): CairnError {
  return new CairnError(
    'answer-lost',
    `This node closed while it waited for the answer to ${doing}. Whether it took effect is not ` +
      `known: ask again with commandId ${show(commandId)}, which acts once.`,
    { details: { commandId } },
  )
}

function deadlineExceeded(doing: string, timeout: number, commandId: string): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `The ${doing} was not answered within ${timeout} ms. Whether it took effect is not known: ` +
      `ask again with commandId ${show(commandId)}, which acts once.`,
    { details: { timeout, commandId } },
  )
}
