// Children: the work that runs on this node beside its actors, as their states ask for it.
//
// Owns the children that run here, and the commands that they have queued for their actors.
// CHILDREN-1. A child runs here only while this node owns its actor and the latest state of the actor
//             that this node has seen asks for the child, by its key, or has it as work that has not ended. The actor need not be in memory:
//             a child's commands wake it.
// CHILDREN-2. A child's commands go to its actor in order, and each is retried until it is answered or
//             the child is stopped. Each has an id of its own, except that the id of its end is derived
//             from the key: if the child ran on two nodes, it ends once. Its commands carry on the causes of the
//             commit that started it, whose version is in the key.
// CHILDREN-3. No child is lost when a node dies: the actor's next owner finds the child in its state. A
//             scan over all actors of types with children, at the start and when members change, makes
//             each owner read its actors.
// CHILDREN-4. If a child has `queuedMax` commands queued, further ones are dropped and logged.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { ChildSpec, ChildEnd, ChildContext, RunningChild } from '../model/child.js'
import type { Causes } from '../model/commit.js'
import { CairnError, type ErrorCode, isCairnError, messageOf } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { Clock } from '../model/clock.js'
import type { CommandSender } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
import { endId, isEndId } from '../model/pending-work.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import { causesOfChild } from './child-causes.js'
import { isRedirect } from './version-guard.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { AnyActorDefinition } from './definition.js'
import type { FoldedState } from './fold.js'
import { workChild } from './run-work.js'

export interface ChildrenOptions {
  readonly definitions: Iterable<AnyActorDefinition>
  readonly nodeId: string
  readonly store: Pick<EventStore, 'actors' | 'commits' | 'knownPosition'>
  readonly log: WriteLog
  readonly clock: Pick<Clock, 'wait'>
  /** Whether this node owns an actor. */
  owns(actor: ActorAddress): boolean
  /** Whether this node would own an actor if the actor needed this behavior version. */
  wouldOwn(actor: ActorAddress, version: number): boolean
  /** Reads an actor on this node, which reports its latest state to {@link Children.onState}. */
  read(actor: ActorAddress, signal: AbortSignal): Promise<unknown>
  /** Sends commands to the node that owns an actor. */
  sender(): Pick<CommandSender, 'ask'>
}

export interface ChildrenStats {
  /** Children that run on this node, work of actors among them. */
  readonly running: number
}

interface RunningEntry {
  readonly actor: ActorAddress
  readonly key: string
  readonly stopped: AbortController
  child?: RunningChild
  /** CHILDREN-2. Once they were needed. */
  causes: Causes | undefined
  /** Sends its queued commands, one after another. */
  deliveries: Promise<void>
  queued: number
}

/** The children of one actor. */
interface ActorChildren {
  readonly actor: ActorAddress
  version: Version
  readonly byKey: Map<string, RunningEntry>
}

const queuedMax = 1_000
const readsMax = 32
const retryMax = 10_000
/** Errors of a command whose data cannot be stored, whatever becomes of its actor. */
const unsendable: ReadonlySet<ErrorCode> = new Set([
  'commit-too-large',
  'invalid-command',
  'invalid-data',
])

export class Children {
  readonly #options: ChildrenOptions
  /** The behavior version of each type with children. */
  readonly #types: ReadonlyMap<string, number>
  readonly #byActor = new Map<string, ActorChildren>()
  #startupScan = new AbortController()
  /** Reads of actors whose children are not known yet. */
  #reads = 0
  #isClosed = false

  constructor(options: ChildrenOptions) {
    this.#options = options
    this.#types = new Map(
      [...options.definitions]
        .filter(
          ({ behavior, performs }) =>
            behavior.children !== undefined || performs !== undefined,
        )
        .map(({ type, behavior }) => [type, behavior.version]),
    )
  }

  stats(): ChildrenStats {
    let running = 0
    for (const { byKey } of this.#byActor.values()) running += byKey.size
    return { running }
  }

  /** The children that end by themselves and have not, and those whose commands are on their way. */
  unsettled(): string[] {
    const children = [...this.#byActor.values()].flatMap(({ byKey }) => [
      ...byKey.values(),
    ])
    return [
      ...(this.#reads > 0 ? [`${this.#reads} actors are read for their children`] : []),
      ...children
        .filter(({ child, queued }) => child?.endsByItself === true || queued > 0)
        .map(({ key }) => `child ${key} has not ended`),
    ]
  }

  /** An actor has a new stored state (CHILDREN-1). */
  onState(
    actor: ActorAddress,
    definition: AnyActorDefinition,
    { state, version, works }: Pick<FoldedState, 'state' | 'version' | 'works'>,
  ): void {
    const { behavior } = definition
    if (this.#isClosed) return
    const mayHaveChildren = behavior.children !== undefined || works !== undefined
    if (!mayHaveChildren && this.#byActor.size === 0) return
    const name = formatAddress(actor)
    const known = this.#byActor.get(name)
    if (known !== undefined && known.version > version) return
    const isWanted = version > 0 && this.#options.owns(actor)
    const wanted = isWanted
      ? [
          ...this.#listChildren(actor, () => behavior.children?.(actor, state) ?? []),
          ...(works ?? []).map(work =>
            workChild(definition, actor, work, this.#options.clock),
          ),
        ]
      : []
    if (known === undefined && wanted.length === 0) return
    const children: ActorChildren = known ?? { actor, version, byKey: new Map() }
    children.version = version
    const keys = new Set(wanted.map(({ key }) => key))
    for (const running of children.byKey.values())
      if (!keys.has(running.key)) this.#stop(children, running)
    for (const child of wanted)
      if (!children.byKey.has(child.key)) this.#start(children, child)
    if (children.byKey.size === 0) this.#byActor.delete(name)
    else this.#byActor.set(name, children)
  }

  /**
   * A commit of an actor was stored: reads the actor to learn which children it asks for.
   * @param nodeId the node that stored it; for commits of this node, `onState` is called instead
   */
  onCommit(actor: ActorAddress, nodeId?: string): void {
    if (nodeId === this.#options.nodeId) return
    if (this.#isClosed || !this.#types.has(actor.type)) return
    if (this.#options.owns(actor))
      void this.#readUntilDone(actor, this.#startupScan.signal)
  }

  /** The actor may belong to another node now: its children are stopped then. */
  onOwnerChange(actor: ActorAddress): void {
    const children = this.#byActor.get(formatAddress(actor))
    if (children !== undefined && !this.#options.owns(actor)) this.#dismiss(children)
  }

  /** Members have changed: stops children of actors that other nodes own, and scans for its own (CHILDREN-3). */
  onMembershipChange(): void {
    if (this.#isClosed || this.#types.size === 0) return
    for (const children of this.#byActor.values())
      if (!this.#options.owns(children.actor)) this.#dismiss(children)
    this.#startupScan.abort()
    this.#startupScan = new AbortController()
    void this.#scanAll(this.#startupScan.signal)
  }

  /** Stops all children; the next owners start them again. */
  close(): void {
    this.#isClosed = true
    this.#startupScan.abort()
    for (const children of this.#byActor.values()) this.#dismiss(children)
  }

  async #scanAll(signal: AbortSignal): Promise<void> {
    for (let delay = 100; !signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        for (const [type, version] of this.#types)
          await this.#scanType(type, version, signal)
        return
      } catch (error) {
        if (signal.aborted) return
        this.#options.log(
          'warn',
          `The actors with children could not be listed; next try in ${delay} ms: ${messageOf(error)}`,
          { delay },
        )
        await pause(delay, signal)
      }
  }

  async #scanType(type: string, version: number, signal: AbortSignal): Promise<void> {
    let reads: Promise<void>[] = []
    for await (const actor of this.#options.store.actors({ type, signal })) {
      // The history tells whether the actor needs this version, and belongs to this node for that reason.
      const { owns, wouldOwn } = this.#options
      if (!owns(actor) && !wouldOwn(actor, version)) continue
      reads.push(this.#readUntilDone(actor, signal))
      if (reads.length < readsMax) continue
      await Promise.all(reads)
      reads = []
    }
    await Promise.all(reads)
  }

  async #readUntilDone(actor: ActorAddress, signal: AbortSignal): Promise<void> {
    this.#reads++
    await this.#tryToRead(actor, signal)
    this.#reads--
  }

  /** Reads an actor, with retries; gives up on an error that is not retryable. */
  async #tryToRead(actor: ActorAddress, signal: AbortSignal): Promise<void> {
    for (let delay = 100; !signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        await this.#options.read(actor, signal)
        return
      } catch (error) {
        // A node that is redirected to finds the actor in its own scan.
        if (signal.aborted || isRedirect(error)) return
        const name = formatAddress(actor)
        const isFinal = isCairnError(error) && !error.retryable
        this.#options.log(
          'warn',
          `${name} could not be read to find its children: ${messageOf(error)}`,
          { actor: name },
        )
        if (isFinal) return
        await pause(delay, signal)
      }
  }

  #listChildren(
    actor: ActorAddress,
    list: () => readonly ChildSpec[],
  ): readonly ChildSpec[] {
    try {
      return list()
    } catch (error) {
      this.#failed(actor, 'listing the children', error)
      return []
    }
  }

  #start(children: ActorChildren, child: ChildSpec): void {
    const { actor } = children
    const { key } = child
    const running: RunningEntry = {
      actor,
      key,
      stopped: new AbortController(),
      causes: undefined,
      deliveries: Promise.resolve(),
      queued: 0,
    }
    children.byKey.set(key, running)
    const context: ChildContext = {
      tell: (command, data) =>
        this.#queue(running, { command, data }, `${key}:${newId()}`),
      end: end => this.#queue(running, end, endId(key)),
      failed: (what, error) => this.#failed(actor, `${what} (${key})`, error),
    }
    try {
      running.child = child.start(context)
    } catch (error) {
      this.#failed(actor, `starting ${key}`, error)
    }
    // A command that it sent while starting may have stopped it.
    if (running.stopped.signal.aborted) running.child?.stop()
  }

  #stop({ byKey }: ActorChildren, running: RunningEntry): void {
    byKey.delete(running.key)
    running.stopped.abort()
    try {
      running.child?.stop()
    } catch (error) {
      this.#failed(running.actor, `stopping ${running.key}`, error)
    }
  }

  #dismiss(children: ActorChildren): void {
    for (const running of children.byKey.values()) this.#stop(children, running)
    this.#byActor.delete(formatAddress(children.actor))
  }

  /** CHILDREN-2 and CHILDREN-4. */
  #queue(running: RunningEntry, end: ChildEnd, commandId: string): void {
    if (running.stopped.signal.aborted) return
    if (running.queued >= queuedMax) {
      const error = new CairnError(
        'queue-full',
        `It has ${queuedMax} commands queued for its actor, its limit: ${end.command} is dropped.`,
      )
      return this.#failed(running.actor, `queueing a command of ${running.key}`, error)
    }
    running.queued++
    running.deliveries = running.deliveries
      .then(() => this.#deliver(running, end, commandId))
      .finally(() => running.queued--)
  }

  async #deliver(running: RunningEntry, end: ChildEnd, commandId: string): Promise<void> {
    const { actor, key, stopped } = running
    const { signal } = stopped
    const { store } = this.#options
    // Another node may have sent its end before, and differently: the id is searched for as that of a caller.
    const sentAfter = store.knownPosition()
    const redelivery = { sentAfter, isCallersId: true, isChild: true }
    let command = end
    for (let delay = 50; !signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        const causes = (running.causes ??= await causesOfChild(store, actor, key, signal))
        const options = { commandId, ...causes, redelivery, signal }
        const { command: type, data } = command
        await this.#options.sender().ask(actor, type, data, options)
        return
      } catch (error) {
        if (signal.aborted) return
        const isFinal = isCairnError(error) && !error.retryable
        // It has ended before, otherwise: on another node.
        if (isEndId(commandId) && isCairnError(error, 'command-id-reused')) return
        const isUnsendable = isCairnError(error) && unsendable.has(error.code)
        if (isUnsendable && command.instead !== undefined) {
          command = command.instead(error)
          continue
        }
        this.#failed(actor, `sending ${command.command} of ${key}`, error)
        // An end is retried for as long as the child exists, because the actor may be repaired. Other
        // commands are not.
        if (isFinal && !isEndId(commandId)) return
        await pause(delay, signal)
      }
  }

  #failed(actor: ActorAddress, what: string, error: unknown): void {
    const name = formatAddress(actor)
    this.#options.log('warn', `${what} failed: ${messageOf(error)}`, { actor: name })
  }
}
