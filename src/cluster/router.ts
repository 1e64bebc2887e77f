// The router: sends a command to the node that owns the actor.
//
// The sender computes the owner from its own view of the members; the receiver checks it with
// its view. If the views differ, the command is redirected. The number of redirects is limited; after that the receiver
// handles the command itself, which is safe, since the store checks every commit.
//
// ROUTER-1. A command goes to its owner, or to the node that the owner names, with at most `hopsMax` redirects.
// ROUTER-2. `no-node` means that nothing was delivered: the node is suspected, and the command
//     goes to the new owner at once.
// ROUTER-3. A lost answer means that the outcome is unknown: the command is sent again under the same id
//     until its deadline, and takes effect once. The receiver treats every id as one that may have been
//     sent before: the first request can be delayed while a second one is handled on another node.
// ROUTER-4. Once a request was sent whose answer is lost, the command can only end with an answer that it
//     took effect, or with an error that says that this is not known: the lost request may have been
//     handled, or may be handled later, so a rejection of another one, or an error of it, proves nothing.
// ROUTER-5. The deadline is the caller's and is sent with the command: each hop has the time that is left.
// ROUTER-6. The actor itself redirects, too, also that of this node: to a node with a later behavior version
//     (VERSION-GUARD-1), or to the owner that it lost to (CONTENTION-3). While nodes disagree about the owner, the
//     command waits between redirects.
// ROUTER-7. That the view has no host of a type does not mean that there is none: `no-node` is said only after the
//     membership has looked for one.
// ROUTER-8. A node that does not reach the owner asks another one, and names whom it does not reach. If the owner in that
//     one's view is among these, it sends the command on. So nodes may be at odds about a bad link, and none takes
//     another one's word that a node is dead.
// ROUTER-9. A command that its owner could not handle in time is refused with `queue-full` before anything is done for it
//     (GATE-3), and at most `openMax` commands to other nodes are open. Resends have a budget.
// ROUTER-10. A node that has not seen a node with a later behavior version yet answers as if there were none. The sender, which
//     has seen it, asks that one.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { definedCauses } from '../model/causes.js'
import { CairnError, isCairnError, refusal } from '../model/errors.js'
import { newId } from '../model/id.js'
import type {
  AskOutcome,
  CommandSender,
  RedeliveryOptions,
  RefusingSender,
} from '../model/command-sender.js'
import { abortedError, pause, withTimeout } from '../model/wait.js'
import { BehaviorVersions } from './behavior-versions.js'
import type { Membership } from './membership.js'
import { PendingAnswers } from './pending-answers.js'
import type { Candidate } from './placement.js'
import { isExpired } from './request-codec.js'
import { RetryBudget } from './retry-budget.js'
import {
  describe,
  hasLeft,
  isRejection,
  redirectOf,
  type RoutedCommand,
} from './routed-command.js'
import {
  closedError,
  deadlineExceeded,
  noNodeError,
  notSentInTurn,
  unknownAfter,
} from './routing-errors.js'
import { type SendGate, SendGates } from './send-gate.js'
import { type AskRequest, requestTimeoutDefault, type Transport } from './transport.js'

export interface RouterOptions {
  readonly nodeId: string
  readonly membership: Membership
  readonly transport: Transport
  /** Handles the commands of actors that this node owns. */
  readonly local: RefusingSender
  /** Whether this node hosts the type. */
  readonly hosts: (type: string) => boolean
}

export interface RouterStats {
  readonly local: number
  readonly remote: number
  readonly redirects: number
  /** Commands sent again because the answer was lost or the node could not be reached. */
  readonly resent: number
  /** Commands that were refused, as their owner would not have handled them in time. */
  readonly refused: number
}

/** How long a command may wait, and what to say when it has waited too long. */
interface Bounds {
  /** Milliseconds. Throws when the command must not be sent any more. */
  timeLeft(): number
  late(): CairnError
  readonly signal: AbortSignal | undefined
  readonly doing: string
}

/** What is known of the requests of one command. */
interface Answers {
  /** A request was sent, and its answer will not be received. */
  isOneLost: boolean
}

/** Errors after which the command is sent again under the same id. */
const resendable = ['node-closed', 'answer-lost'] as const
/** Errors of a request that may have been handled, or may be later (TRANSPORT-4). */
const uncertain = ['aborted', 'answer-lost', 'outcome-unknown'] as const
/** Redirects after which the receiver handles the command itself. */
const hopsMax = 3
/** Milliseconds between two looks for an owner. */
const retryDelay = 25
/** Commands to other nodes that may be open. */
const openMax = 100_000
/** Milliseconds before a command with a lost answer is sent again while no node hosts its type. */
const ownerDelay = 100

export class Router implements RefusingSender {
  readonly #options: RouterOptions
  #local = 0
  #remote = 0
  #redirects = 0
  #resent = 0
  #refused = 0
  readonly #pending = new PendingAnswers()
  readonly #gates: SendGates
  readonly #budget = new RetryBudget()
  readonly #sender: CommandSender
  /** Which behavior versions actors need, and which nodes have them. */
  readonly versions: BehaviorVersions

  constructor(options: RouterOptions) {
    this.#options = options
    this.#sender = this.#senderAfter(0)
    this.#gates = new SendGates(options.transport.windowMax)
    const { nodeId, membership } = options
    this.versions = new BehaviorVersions(nodeId, membership)
    membership.onChange(({ dead }) => {
      const present = new Set(membership.members().map(({ id }) => id))
      const ids = dead.map(({ id }) => id)
      this.#pending.update(ids, present)
      this.#gates.update(ids, present)
    })
  }

  stats(): RouterStats {
    return {
      local: this.#local,
      remote: this.#remote,
      redirects: this.#redirects,
      resent: this.#resent,
      refused: this.#refused,
    }
  }

  /** The owner of the actor in this node's view. */
  ownerOf(actor: ActorAddress): Candidate | undefined {
    return this.versions.ownerOf(actor)
  }

  /** Whether this node owns the actor in its own view. */
  isOurs(actor: ActorAddress): boolean {
    const owner = this.ownerOf(actor)
    return owner === undefined || owner.id === this.#options.nodeId
  }

  ask(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: RedeliveryOptions,
  ): Promise<AskOutcome> {
    return this.#sender.ask(actor, commandType, data, options)
  }

  tell(
    actor: ActorAddress,
    commandType: string,
    data: unknown,
    options?: RedeliveryOptions,
  ): Promise<void> {
    return this.#sender.tell(actor, commandType, data, options)
  }

  get mayRefuse(): boolean {
    const isFull = this.#gates.isAnyFull || this.#pending.commands >= openMax
    return isFull || this.#options.local.mayRefuse
  }

  /** ROUTER-9. */
  refusal(actor: ActorAddress, options: RedeliveryOptions = {}): CairnError | undefined {
    const { local, nodeId } = this.#options
    const owner = this.#knownOwner(actor)
    return owner === nodeId
      ? local.refusal(actor, options)
      : this.#refusalBy(owner, actor, options)
  }

  /** Sends commands on for nodes that do not reach the owner (ROUTER-8); they were redirected `hops` times. */
  relay(hops: number): CommandSender {
    return this.#senderAfter(hops + 1)
  }

  /**
   * Waits for the commands sent to other nodes, for at most `timeout` ms. A command that is still unanswered
   * ends with `answer-lost`, which names its id.
   */
  close(timeout: number): Promise<void> {
    return this.#pending.close(timeout, () => this.#gates.close())
  }

  #senderAfter(hops: number): CommandSender {
    const { local } = this.#options
    return {
      ask: (actor, commandType, data, options: RedeliveryOptions = {}) => {
        const runLocally = (bounds: RedeliveryOptions) =>
          local.ask(actor, commandType, data, bounds)
        const isTold = false
        return this.#route({
          actor,
          commandType,
          data,
          options,
          runLocally,
          isTold,
          hops,
        })
      },
      tell: (actor, commandType, data, options: RedeliveryOptions = {}) => {
        const runLocally = (bounds: RedeliveryOptions) =>
          local.tell(actor, commandType, data, bounds)
        const isTold = true
        return this.#route({
          actor,
          commandType,
          data,
          options,
          runLocally,
          isTold,
          hops,
        })
      },
    }
  }

  #route<Outcome>(command: RoutedCommand<Outcome>): Promise<Outcome> {
    try {
      const owner = this.#knownOwner(command.actor)
      if (owner === this.#options.nodeId) {
        this.#local++
        const startedAt = performance.now()
        return command
          .runLocally(command.options)
          .catch((error: unknown) => this.#redirected(command, startedAt, error))
      }
      const refused = this.#refusalBy(owner, command.actor, command.options)
      if (refused !== undefined) throw refused
      this.#remote++
      this.#budget.sent()
      return this.#pending.track(() => this.#sendUntilAnswered(command, owner))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #refusalBy(
    owner: string | undefined,
    actor: ActorAddress,
    { redelivery, timeout = requestTimeoutDefault }: RedeliveryOptions,
  ): CairnError | undefined {
    if (redelivery !== undefined) return undefined
    const refused =
      this.#pending.commands >= openMax
        ? tooManyOpen()
        : owner && this.#gates.to(owner).refusal(actor, timeout)
    if (!refused) return undefined
    this.#refused++
    return refused
  }

  /** This node's actor left the command to another node (ROUTER-6). */
  #redirected<Outcome>(
    command: RoutedCommand<Outcome>,
    startedAt: number,
    error: unknown,
  ): Promise<Outcome> {
    const owner = redirectOf(error)
    if (owner === undefined) throw error
    this.#redirects++
    const { timeout = requestTimeoutDefault } = command.options
    const left = Math.max(0, timeout - (performance.now() - startedAt))
    const rest = { ...command, options: { ...command.options, timeout: left } }
    return this.#pending.track(() => this.#sendUntilAnswered(rest, owner))
  }

  /** Sends the command from node to node until one has handled it (ROUTER-1 to ROUTER-5). */
  async #sendUntilAnswered<Outcome>(
    command: RoutedCommand<Outcome>,
    first: string | undefined,
  ): Promise<Outcome> {
    const { commandId = newId() } = command.options
    const answers: Answers = { isOneLost: false }
    let outcome: Outcome
    try {
      outcome = await this.#sendUntilOneAnswers(command, commandId, first, answers)
    } catch (error) {
      if (answers.isOneLost) throw unknownAfter(error, describe(command), commandId)
      throw error
    }
    if (answers.isOneLost && isRejection(outcome))
      throw unknownAfter(outcome.rejection, describe(command), commandId)
    return outcome
  }

  async #sendUntilOneAnswers<Outcome>(
    command: RoutedCommand<Outcome>,
    commandId: string,
    first: string | undefined,
    answers: Answers,
  ): Promise<Outcome> {
    const { actor, commandType, data, options, isTold } = command
    const {
      timeout = requestTimeoutDefault,
      signal,
      redelivery,
      expectedVersion,
    } = options
    const deadline = performance.now() + timeout
    const doing = describe(command)
    let waitsFor: string | undefined
    const late = () =>
      waitsFor === undefined
        ? deadlineExceeded(doing, timeout, commandId)
        : notSentInTurn(doing, timeout, commandId, waitsFor)
    const timeLeft = () => {
      if (signal?.aborted) throw abortedError(signal, doing)
      if (this.#pending.isClosed) throw closedError(doing, commandId)
      const left = Math.floor(deadline - performance.now())
      if (left <= 0) throw late()
      return left
    }
    const find = () => this.#findOwner(actor, { timeLeft, late, signal, doing })
    let resends = 0
    let owner = first ?? (await find())
    /** Nodes that this command did not reach. */
    const unreached = new Set<string>()
    for (let { hops } = command; ;) {
      const isLocal = owner === this.#options.nodeId
      const gate = this.#gates.to(owner)
      waitsFor = isLocal ? undefined : owner
      const left = isLocal
        ? timeLeft()
        : await gate.take(actor, timeLeft, signal, redelivery !== undefined)
      waitsFor = undefined
      if (left === undefined) {
        // The node is gone.
        owner = this.#knownOwner(actor) ?? owner
        continue
      }
      const behaviorVersion = this.versions.neededBy(actor)
      const cut = this.#options.membership.unreachable?.() ?? []
      const gone = unreached.size === 0 ? cut : [...unreached, ...cut]
      const request: AskRequest = {
        kind: 'ask',
        actor,
        command: commandType,
        data,
        commandId,
        hops,
        ...(isTold && { isTold }),
        ...(behaviorVersion > 1 && { behaviorVersion }),
        ...(gone.length > 0 && { gone }),
        ...(redelivery !== undefined && { redelivery }),
        ...(expectedVersion !== undefined && { expectedVersion }),
        ...definedCauses(options),
      }
      try {
        if (isLocal)
          return await command.runLocally({ ...options, commandId, timeout: left })
        return (await this.#sendTo(request, owner, left, signal, gate)) as Outcome
      } catch (error) {
        if (isLocal && redirectOf(error) === undefined) throw error
        if (uncertain.some(code => isCairnError(error, code))) answers.isOneLost = true // ROUTER-4
        if (isCairnError(error, 'no-node') || hasLeft(error)) unreached.add(owner)
        try {
          const next = await this.#next(actor, owner, error, find, resends)
          // An earlier version of a node names one that is not reached; after `hopsMax` it handles the command itself.
          if (!cut.includes(next)) owner = next
          if (!isCairnError(error, 'not-owner')) resends++
        } catch (reason) {
          if (!answers.isOneLost || !isCairnError(reason, 'no-node')) throw reason
          // Only a new owner can tell whether the command took effect.
          await pause(ownerDelay, signal)
        }
        if (isCairnError(error, 'not-owner')) await waitToAgree(++hops, signal)
      }
    }
  }

  /** One attempt, with a place in the window to the node, which it gives back (GATE-1). */
  async #sendTo(
    request: AskRequest,
    owner: string,
    timeout: number,
    signal: AbortSignal | undefined,
    gate: SendGate,
  ): Promise<unknown> {
    let isRefused = false
    try {
      return await this.#request(request, owner, timeout, signal)
    } catch (error) {
      isRefused = isCairnError(error, 'queue-full')
      throw error
    } finally {
      gate.leave(isRefused)
    }
  }

  /** Ends as `answer-lost` if the node leaves before it has answered (ROUTER-3). */
  #request(
    request: AskRequest,
    owner: string,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    return this.#pending.request(
      owner,
      signal,
      either =>
        this.#options.transport.request(request, { timeout, to: owner, signal: either }),
      (error, hasNodeLeft) =>
        hasNodeLeft && isCairnError(error, 'aborted')
          ? new CairnError(
              'answer-lost',
              `Node ${owner} left before it answered for ${formatAddress(request.actor)}.`,
              { details: { left: owner } },
            )
          : error,
    )
  }

  /**
   * Checks a request that reached this node: throws `not-owner` if another node owns the actor. Returns whether this node
   * is to send it on to the owner, which the sender does not reach (ROUTER-8).
   */
  checkOwner(
    actor: ActorAddress,
    hops: number,
    unreachable: readonly string[] = [],
    behaviorVersion?: number,
  ): boolean {
    const { nodeId } = this.#options
    if (behaviorVersion !== undefined) this.versions.learn(actor, behaviorVersion)
    const owner = this.ownerOf(actor)
    if (owner === undefined || owner.id === nodeId || hops >= hopsMax) return false
    if (unreachable.includes(owner.id)) return true
    throw new CairnError(
      'not-owner',
      `${formatAddress(actor)} belongs to node ${owner.id}, not to ${nodeId}: ask that node.`,
      { details: { owner: owner.id, behaviorVersion: this.versions.neededBy(actor) } },
    )
  }

  /** The owner in this node's view; this node if no member hosts the type but it does. */
  #knownOwner(actor: ActorAddress): string | undefined {
    const { nodeId, hosts } = this.#options
    return this.ownerOf(actor)?.id ?? (hosts(actor.type) ? nodeId : undefined)
  }

  /** ROUTER-7. The owner, which this node may have to look for; throws `no-node` if there is none. */
  async #findOwner(
    actor: ActorAddress,
    { timeLeft, late, signal, doing }: Bounds,
  ): Promise<string> {
    const { membership } = this.#options
    for (;;) {
      const owner = this.#knownOwner(actor)
      if (owner !== undefined) return owner
      const left = timeLeft()
      const looking = membership.lookFor?.(actor.type) ?? Promise.resolve(false)
      const mayExist = await withTimeout(looking, left, late, signal, doing)
      if (this.#knownOwner(actor) !== undefined) continue
      if (!mayExist) throw noNodeError(actor)
      await pause(retryDelay, signal)
    }
  }

  /** The node to ask after an error. Throws the error if the command must not be sent again. */
  async #next(
    actor: ActorAddress,
    tried: string,
    error: unknown,
    find: () => Promise<string>,
    resends: number,
  ): Promise<string> {
    const { membership } = this.#options
    if (isCairnError(error, 'not-owner')) {
      this.#redirects++
      const { owner: redirect, behaviorVersion } = error.details
      this.versions.learn(actor, behaviorVersion)
      return typeof redirect === 'string' ? redirect : find()
    }
    const later = this.#laterOwner(actor, tried, error)
    if (later !== undefined) {
      this.#redirects++
      return later
    }
    if (isCairnError(error, 'no-node'))
      membership.suspect(tried) // ROUTER-2
    else if (!resendable.some(code => isCairnError(error, code)) && !isExpired(error))
      throw error
    this.#resent++
    const owner = await find()
    if (owner === tried) await pause(this.#budget.delayBefore(resends))
    return owner
  }

  /** ROUTER-10. The node to ask instead of one that does not know the command, or cannot fold the history. */
  #laterOwner(actor: ActorAddress, tried: string, error: unknown): string | undefined {
    const isBehind =
      isCairnError(error, 'version-behind') ||
      (isCairnError(error, 'unknown-command') && error.details.type === actor.type)
    return isBehind ? this.versions.ownerAfter(actor, tried) : undefined
  }
}

function tooManyOpen(): CairnError {
  return refusal(
    'queue-full',
    `This node waits for the answers of ${openMax} commands, its limit: this one was not sent. ` +
      'Send again later, or send at a lower rate.',
    { limit: openMax },
  )
}

/** ROUTER-6. Waits after more redirects than nodes that agree would make. */
async function waitToAgree(hops: number, signal: AbortSignal | undefined): Promise<void> {
  if (hops > hopsMax) await pause(retryDelay, signal)
}
