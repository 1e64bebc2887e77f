// Several nodes of one namespace in one process, and everything that can go wrong between them.

import type { AnyActorDefinition } from '../actor/definition.js'
import type { Backend, OpenNamespace } from '../backend/backend.js'
import { memory } from '../backend/memory.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { defined } from '../model/defined.js'
import { CairnError } from '../model/errors.js'
import type { LogRecord } from '../model/commit.js'
import { type NodeActivity, settle, type SettledOptions } from '../runtime/activity.js'
import { type NodeOptions, nodeOptionNames } from '../runtime/options.js'
import { startNode } from '../runtime/start-node.js'
import { type CheckSummary, checkCluster } from './check.js'
import { type ClusterNode, clusterNode } from './cluster-node.js'
import { type FaultCounts, Faults } from './faults.js'
import { faulty } from './faulty.js'
import { Journal } from './journal.js'
import { turn } from './line.js'
import { checkTime, ManualClock } from './manual-clock.js'
import type { Step } from './scheduler.js'
import { Simulation } from './simulation.js'

/** What every node of a cluster is started with, as by `startNode`; the cluster sets the rest. */
export type TestNodeOptions = Omit<NodeOptions, 'id' | 'namespace' | 'store' | 'clock'>

export interface TestClusterOptions extends TestNodeOptions {
  /** Nodes at the start. Default 3. */
  readonly nodes?: number | undefined
  /** Repeats the interleaving and the draws of a run of the same seed. Default: a new one. */
  readonly seed?: number | undefined
  /** Default `test`. */
  readonly namespace?: string | undefined
  /**
   * Where the namespace lives. Default: a `memory()` of its own. In memory, the nodes are simulated; with
   * another backend they are not, and a seed repeats the draws of the faults only.
   */
  readonly store?: Backend | undefined
  /** All nodes' clock. Default: a new one, which begins at 0. */
  readonly clock?: ManualClock | undefined
  /** Called at each step of the simulation: what arrives, and which timer fires. A seed repeats all of them. */
  readonly onStep?: ((step: Step) => void) | undefined
}

/** The options of a node as well, but for its id: a cluster numbers its nodes. */
const { id: _, ...ofNodes } = nodeOptionNames
const names: OptionNames<TestClusterOptions> = {
  ...ofNodes,
  nodes: true,
  seed: true,
  onStep: true,
}

/** Several nodes in one process. Faults are as {@link Faults} says, with nodes by their numbers. */
export interface TestCluster extends AsyncDisposable {
  /** What a run is repeated by. */
  readonly seed: number
  /** All nodes' clock; it moves only when told to. */
  readonly clock: ManualClock
  /**
   * Moves the clock on by some milliseconds, and resolves when all that is due by then has acted, and all that follows from
   * it. The clock stands at each moment at which something is due, one after another: a timer that sets the next one is
   * followed. On a server, timers go by the server's clock, and this does not move them. Throws as `settled` does.
   */
  advance(ms: number, options?: SettledOptions): Promise<void>
  /**
   * Resolves when all that is stored has acted on the running nodes: reactors and triggers have handled their messages,
   * actors the commands that were sent, stored or due, machines the ends of their promises; projections have folded the
   * log. What waits for the clock is not waited for. Throws `deadline-exceeded`, which says what has not acted, or `aborted`.
   */
  settled(options?: SettledOptions): Promise<void>
  /**
   * Runs work within the simulation. Timers, `Math.random` and the clocks of JavaScript are simulated for the work,
   * too, and time passes at once when there is nothing else to do: so it must not wait for anything
   * outside, such as a file, a socket or another process. What a seed repeats, it repeats for what runs here.
   */
  run<T>(work: () => Promise<T>): Promise<T>
  /** The numbers of the nodes that are running. */
  readonly running: readonly number[]
  /** A running node. Throws `node-closed` for one that is not. */
  node(index: number): ClusterNode
  /** Starts one more node, with the cluster's options, or others for this node. */
  start(options?: Partial<TestNodeOptions>): Promise<ClusterNode>
  /**
   * The node stops at once, without draining: nothing that it has in flight is acknowledged any
   * more. What is on its way to the store may still be stored.
   */
  crash(index: number): void
  /** The node drains and leaves, as at a SIGTERM. */
  drain(index: number): Promise<void>
  partition(...sides: readonly (readonly number[])[]): void
  heal(): void
  dropNotices(probability: number): void
  delayAppends(probability: number, options?: { readonly turns?: number }): void
  failAppends(probability: number): void
  duplicateRequests(probability: number): void
  /** Ends all faults but crashes and partitions. */
  calm(): void
  /** How often what went wrong. */
  faults(): FaultCounts
  /** The whole log, read past all faults. */
  log(): Promise<LogRecord[]>
  /**
   * Waits until every command sent through the nodes is answered, and then holds the log, the
   * answers and the nodes against the promises. Throws an `AssertionError` that names each one
   * broken, and the seed. It asks every node for the state of every actor.
   *
   * @param options.timeout milliseconds for becoming quiet. Default 15,000.
   */
  check(options?: { readonly timeout?: number }): Promise<CheckSummary>
}

/**
 * Starts a cluster for a test.
 *
 * ```ts
 * await using cluster = await testCluster({ actors: [account] })
 * cluster.partition([0], [1, 2])
 * await cluster.node(0).spawn(account, 'alice').ask('deposit', { amount: 10 })
 * await cluster.node(1).spawn(account, 'alice').ask('deposit', { amount: 20 })
 * cluster.heal()
 * await cluster.check()
 * ```
 */
export async function testCluster(
  options: TestClusterOptions = {},
): Promise<TestCluster> {
  checkOptions('testCluster', options, names)
  const { nodes = 3, namespace = 'test', seed, store = memory(), ...rest } = options
  const { clock = new ManualClock(), onStep, ...nodeOptions } = rest
  const faults = new Faults(seed === undefined ? {} : { seed })
  const observer = await store.open({ namespace, nodeId: 'observer', cache })
  // Other backends wait for files and sockets, which nothing repeats.
  if (store.kind === 'memory')
    faults.simulation = new Simulation({ seed: faults.seed, onStep })
  const cluster = new Cluster(nodeOptions, clock, faulty(store, faults), faults, observer)
  try {
    for (let i = 0; i < nodes; i++) await cluster.start()
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
  return cluster
}

class Cluster implements TestCluster {
  readonly clock: ManualClock
  readonly #options: TestNodeOptions
  /** The definitions that the nodes were started with, by type: the first one of each. */
  readonly #definitions = new Map<string, AnyActorDefinition>()
  readonly #backend: Backend
  readonly #faults: Faults
  readonly #simulation: Simulation | undefined
  readonly #observer: OpenNamespace
  readonly #journal = new Journal(() => this.clock.now())
  readonly #running = new Map<number, ClusterNode>()
  readonly #closing: Promise<void>[] = []
  #started = 0

  constructor(
    options: TestNodeOptions,
    clock: ManualClock,
    backend: Backend,
    faults: Faults,
    observer: OpenNamespace,
  ) {
    this.#options = options
    this.clock = clock
    this.#backend = backend
    this.#faults = faults
    this.#simulation = faults.simulation
    this.#observer = observer
  }

  get seed(): number {
    return this.#faults.seed
  }

  get running(): readonly number[] {
    return [...this.#running.keys()]
  }

  node(index: number): ClusterNode {
    const node = this.#running.get(index)
    if (node !== undefined) return node
    throw new CairnError(
      'node-closed',
      `Node ${index} is not running: running are ${this.running.join(', ') || 'none'}.`,
      { details: { index, running: this.running } },
    )
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#simulation === undefined ? work() : this.#simulation.run(work)
  }

  start(options: Partial<TestNodeOptions> = {}): Promise<ClusterNode> {
    return this.#within(() => this.#start(options))
  }

  async #start(own: Partial<TestNodeOptions>): Promise<ClusterNode> {
    const options = { log: false, cache, residentsMax: cache.entries } as const
    const index = this.#started++
    const id = nodeIdOf(index)
    const all = { ...options, ...this.#options, ...defined(own) }
    const node = await startNode({
      ...all,
      namespace: this.#observer.namespace,
      id,
      store: this.#backend,
      clock: this.clock,
    })
    for (const definition of all.actors ?? [])
      if (!this.#definitions.has(definition.type))
        this.#definitions.set(definition.type, definition)
    const line = this.#faults.line(id)
    const wrapped = clusterNode(node, index, line, this.#journal, this.#simulation)
    this.#running.set(index, wrapped)
    return wrapped
  }

  async advance(ms: number, options: SettledOptions = {}): Promise<void> {
    const end = this.clock.now() + ms
    checkTime('ms', ms)
    await this.#within(async () => {
      for (;;) {
        const next = this.#nextDue(await this.#settle(options))
        if (next > end || this.clock.now() >= end) break
        this.clock.set(Math.max(next, this.clock.now()))
      }
      if (this.clock.now() >= end) return
      this.clock.set(end)
      await this.#settle(options)
    })
  }

  async settled(options: SettledOptions = {}): Promise<void> {
    await this.#within(() => this.#settle(options))
  }

  async #settle(options: SettledOptions): Promise<readonly NodeActivity[]> {
    return settle([...this.#running.values()], options)
  }

  /** The next moment at which something is due, if all is settled now. */
  #nextDue(activities: readonly NodeActivity[]): number {
    const moments = activities.map(({ nextDueAt = Infinity }) => nextDueAt)
    return Math.min(this.clock.nextWait ?? Infinity, ...moments)
  }

  crash(index: number): void {
    const node = this.node(index)
    this.#running.delete(index)
    this.#within(() => this.#faults.crash(node.id))
    // Nothing of this reaches anybody; it only frees what the node holds.
    const bury = async () => {
      await this.#faults.line(node.id).quiet()
      await node.close({ timeout: 0 })
    }
    this.#closing.push(this.#within(bury))
  }

  async drain(index: number): Promise<void> {
    const node = this.node(index)
    this.#running.delete(index)
    const closed = node.close()
    this.#closing.push(closed)
    await closed
  }

  partition(...sides: readonly (readonly number[])[]): void {
    this.#within(() => this.#faults.partition(...sides.map(side => side.map(nodeIdOf))))
  }

  heal(): void {
    this.#within(() => this.#faults.heal())
  }

  dropNotices(probability: number): void {
    this.#faults.dropNotices(probability)
  }

  delayAppends(probability: number, options?: { readonly turns?: number }): void {
    this.#faults.delayAppends(probability, options)
  }

  failAppends(probability: number): void {
    this.#faults.failAppends(probability)
  }

  duplicateRequests(probability: number): void {
    this.#faults.duplicateRequests(probability)
  }

  calm(): void {
    this.#faults.calm()
  }

  faults(): FaultCounts {
    return this.#faults.counts()
  }

  async log(): Promise<LogRecord[]> {
    const records: LogRecord[] = []
    for await (const record of this.#observer.store.readAll()) records.push(record)
    return records
  }

  check(options?: { readonly timeout?: number }): Promise<CheckSummary> {
    return this.run(() => this.#check(options))
  }

  async #check({ timeout = 15_000 }: { readonly timeout?: number } = {}) {
    const deadline = performance.now() + timeout
    const lines = [...Array(this.#started).keys()].map(i =>
      this.#faults.line(nodeIdOf(i)),
    )
    const until = async (isSo: () => Promise<boolean> | boolean, what: () => string) => {
      while (!(await isSo())) {
        if (performance.now() > deadline)
          throw new Error(
            `The cluster is not quiet after ${timeout} ms: ${what()}. ` +
              `Repeat with seed ${this.seed}.`,
          )
        await turn()
      }
    }
    await until(
      () => this.#journal.open === 0,
      () => `${this.#journal.open} commands are not answered`,
    )
    // Nodes go on with what nobody waits for any more.
    const isBusy = () => {
      const nodes = [...this.#running.values()]
      return nodes.some(node => node.stats().actors.open > 0)
    }
    await Promise.all(this.#closing)
    await until(
      async () => {
        await Promise.all(lines.map(line => line.quiet()))
        return !isBusy()
      },
      () => 'its nodes are still at work',
    )
    const records = await this.log()
    const last = records.at(-1)
    // A record that is no commit may have no notice; it is reported as what it is.
    if (last?.kind === 'commit')
      for (const line of lines)
        for (const listener of line.listeners) {
          await until(
            () => listener.seen >= last.position,
            () =>
              `node ${line.nodeId} has heard of positions up to ${listener.seen} only`,
          )
          // As the next notice would: a loss at the very end is known only with it.
          listener.tellGap()
        }
    return checkCluster({
      seed: this.seed,
      actors: [...this.#definitions.values()],
      records,
      journal: this.#journal,
      nodes: [...this.#running.values()],
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.run(async () => {
        this.calm()
        for (const index of this.running) this.crash(index)
        await Promise.all(this.#closing)
        await this.#observer.close()
      })
    } finally {
      this.#simulation?.end()
    }
  }

  #within<T>(work: () => T): T {
    return this.#simulation === undefined ? work() : this.#simulation.within(work)
  }
}

/** Room for as many actors as a test has; what is set aside for more takes time to set aside. */
const cache = { entries: 1000 }

function nodeIdOf(index: number): string {
  return `n${index}`
}
