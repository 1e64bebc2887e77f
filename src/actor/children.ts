// Children: what runs beside the actors of this node, as their states ask for it.
//
// Owns everything that has been started here, and what it has yet to tell its actors.
// C1. A child runs here only while its actor is this node's, and the newest state of it that
//     this node has seen asks for it, by its key. It does not depend on the actor being in
//     memory: what it tells wakes the actor.
// C2. What a child tells goes to its actor as a command, in order, and is tried again until it is
//     answered or the child is no longer wanted. Of what it tells on the way each has an id of
//     its own; its end has an id made of the key, so that two that ran, here and there, end once.
// C3. Nothing is lost with a node: whoever owns the actor next finds the child in its state. A
//     roll call of the actors of such types, at the start and when members change, sees to it
//     that somebody looks.
// C4. A child that has more than `toldMax` things to tell is told to its log and heard no more.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { ChildSpec, ChildEnd, ChildContext, RunningChild } from '../model/child.js'
import { CairnError, isCairnError, messageOf } from '../model/errors.js'
import { newId } from '../model/id.js'
import type { CommandSender } from '../model/command-sender.js'
import type { WriteLog } from '../model/log.js'
import type { Version } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import type { StateReading, AnyActorDefinition } from './definition.js'

export interface ChildrenOptions {
  readonly definitions: Iterable<AnyActorDefinition>
  readonly nodeId: string
  readonly store: Pick<EventStore, 'actors'>
  readonly log: WriteLog
  /** Whether an actor is this node's. */
  owns(actor: ActorAddress): boolean
  /** Reads an actor here, which makes its newest state known. */
  read(actor: ActorAddress, signal: AbortSignal): Promise<unknown>
  /** Sends to wherever an actor is. */
  sender(): Pick<CommandSender, 'ask'>
}

export interface ChildrenStats {
  /** What runs beside the actors of this node. */
  readonly running: number
}

interface RunningEntry {
  readonly actor: ActorAddress
  readonly key: string
  readonly stopped: AbortController
  child?: RunningChild
  /** What it has to tell, one after the other. */
  deliveries: Promise<void>
  waiting: number
}

/** The children of one actor. */
interface ActorChildren {
  readonly actor: ActorAddress
  version: Version
  readonly byKey: Map<string, RunningEntry>
}

const queuedMax = 1_000
const endSuffix = ':end'
const readsMax = 32
const retryMax = 10_000

export class Children {
  readonly #options: ChildrenOptions
  readonly #types: readonly string[]
  readonly #byActor = new Map<string, ActorChildren>()
  #startupScan = new AbortController()
  #isClosed = false

  constructor(options: ChildrenOptions) {
    this.#options = options
    this.#types = [...options.definitions]
      .filter(({ behavior }) => behavior.children !== undefined)
      .map(({ type }) => type)
  }

  stats(): ChildrenStats {
    let running = 0
    for (const { byKey } of this.#byActor.values()) running += byKey.size
    return { running }
  }

  /** An actor has come to a state, which is stored (C1). */
  onState(
    actor: ActorAddress,
    { behavior }: AnyActorDefinition,
    { state, version }: StateReading,
  ): void {
    if (behavior.children === undefined || this.#isClosed) return
    const name = formatAddress(actor)
    const known = this.#byActor.get(name)
    if (known !== undefined && known.version > version) return
    const isWanted = version > 0 && this.#options.owns(actor)
    const wanted = isWanted
      ? this.#wantedBy(actor, () => behavior.children!(actor, state))
      : []
    if (known === undefined && wanted.length === 0) return
    const family: ActorChildren = known ?? { actor, version, byKey: new Map() }
    family.version = version
    const keys = new Set(wanted.map(({ key }) => key))
    for (const running of family.byKey.values())
      if (!keys.has(running.key)) this.#stop(family, running)
    for (const child of wanted)
      if (!family.byKey.has(child.key)) this.#start(family, child)
    if (family.byKey.size === 0) this.#byActor.delete(name)
    else this.#byActor.set(name, family)
  }

  /**
   * A commit of an actor was stored: what it asks for now is to be seen.
   * @param nodeId who has stored it; what actors here have stored is known by `adopted`
   */
  onCommit(actor: ActorAddress, nodeId?: string): void {
    if (nodeId === this.#options.nodeId) return
    if (this.#isClosed || !this.#types.includes(actor.type)) return
    if (this.#options.owns(actor)) void this.#readUntilDone(actor, this.#startupScan.signal)
  }

  /** Members have changed: others' children are stopped, and one's own are looked for (C3). */
  onMembershipChange(): void {
    if (this.#isClosed || this.#types.length === 0) return
    for (const family of this.#byActor.values())
      if (!this.#options.owns(family.actor)) this.#dismiss(family)
    this.#startupScan.abort()
    this.#startupScan = new AbortController()
    void this.#scanAll(this.#startupScan.signal)
  }

  /** Stops everything; the next owners start it again. */
  close(): void {
    this.#isClosed = true
    this.#startupScan.abort()
    for (const family of this.#byActor.values()) this.#dismiss(family)
  }

  async #scanAll(signal: AbortSignal): Promise<void> {
    for (let delay = 100; !signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        for (const type of this.#types) await this.#scanType(type, signal)
        return
      } catch (error) {
        if (signal.aborted) return
        this.#options.log(
          'warn',
          `The actors with children could not be listed, and are again in ${delay} ms: ${messageOf(error)}`,
          { delay },
        )
        await pause(delay, signal)
      }
  }

  async #scanType(type: string, signal: AbortSignal): Promise<void> {
    let reads: Promise<void>[] = []
    for await (const actor of this.#options.store.actors({ type, signal })) {
      if (!this.#options.owns(actor)) continue
      reads.push(this.#readUntilDone(actor, signal))
      if (reads.length < readsMax) continue
      await Promise.all(reads)
      reads = []
    }
    await Promise.all(reads)
  }

  /** Reads until it has been read; gives up where that can never be. */
  async #readUntilDone(actor: ActorAddress, signal: AbortSignal): Promise<void> {
    for (let delay = 100; !signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        await this.#options.read(actor, signal)
        return
      } catch (error) {
        if (signal.aborted) return
        const name = formatAddress(actor)
        const isLost = isCairnError(error) && !error.retryable
        this.#options.log(
          'warn',
          `${name} could not be read for its children: ${messageOf(error)}`,
          { actor: name },
        )
        if (isLost) return
        await pause(delay, signal)
      }
  }

  #wantedBy(actor: ActorAddress, list: () => readonly ChildSpec[]): readonly ChildSpec[] {
    try {
      return list()
    } catch (error) {
      this.#failed(actor, 'listing the children', error)
      return []
    }
  }

  #start(family: ActorChildren, child: ChildSpec): void {
    const { actor } = family
    const { key } = child
    const running: RunningEntry = {
      actor,
      key,
      stopped: new AbortController(),
      deliveries: Promise.resolve(),
      waiting: 0,
    }
    family.byKey.set(key, running)
    const ports: ChildContext = {
      tell: (command, data) =>
        this.#queue(running, { command, data }, `${key}:${newId()}`),
      end: end => this.#queue(running, end, `${key}${endSuffix}`),
      failed: (what, error) => this.#failed(actor, `${what} (${key})`, error),
    }
    try {
      running.child = child.start(ports)
    } catch (error) {
      this.#failed(actor, `starting ${key}`, error)
    }
    // It may have been stopped by what it did at once.
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

  #dismiss(family: ActorChildren): void {
    for (const running of family.byKey.values()) this.#stop(family, running)
    this.#byActor.delete(formatAddress(family.actor))
  }

  /** C2 and C4. */
  #queue(running: RunningEntry, end: ChildEnd, commandId: string): void {
    if (running.stopped.signal.aborted) return
    if (running.waiting >= queuedMax) {
      const error = new CairnError(
        'queue-full',
        `${queuedMax} things that it told wait for its actor: ${end.command} is dropped.`,
      )
      return this.#failed(running.actor, `hearing ${running.key}`, error)
    }
    running.waiting++
    running.deliveries = running.deliveries
      .then(() => this.#deliver(running, end, commandId))
      .finally(() => running.waiting--)
  }

  async #deliver(running: RunningEntry, end: ChildEnd, commandId: string): Promise<void> {
    const { actor, key, stopped: over } = running
    let told = end
    for (let delay = 50; !over.signal.aborted; delay = Math.min(2 * delay, retryMax))
      try {
        const { signal } = over
        const options = { commandId, causationId: key, signal }
        await this.#options.sender().ask(actor, told.command, told.data, options)
        return
      } catch (error) {
        if (over.signal.aborted) return
        const isLost = isCairnError(error) && !error.retryable
        if (isLost && told.instead !== undefined) {
          told = told.instead(error)
          continue
        }
        this.#failed(actor, `telling ${told.command} of ${key}`, error)
        // An end is kept until it can be told: the actor may be repaired. An event is not.
        if (isLost && !commandId.endsWith(endSuffix)) return
        await pause(delay, over.signal)
      }
  }

  #failed(actor: ActorAddress, what: string, error: unknown): void {
    const name = formatAddress(actor)
    this.#options.log('warn', `${what} failed: ${messageOf(error)}`, { actor: name })
  }
}
