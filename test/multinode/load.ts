// Load on the nodes of a namespace, and what must be true of the log after it.

import type { Test } from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import type { Backend, OpenNamespace } from '../../src/backend/backend.js'
import { commitSlicesOf } from '../../src/model/commit.js'
import { isCairnError, messageOf } from '../../src/model/errors.js'
import type { AskOutcome } from '../../src/model/command-sender.js'
import { pause } from '../../src/model/wait.js'
import { until } from '../support/wait.js'

/** What a load came to. */
export interface LoadResult {
  /** Command ids that were acknowledged, with the version each got. */
  readonly acknowledged: ReadonlyMap<string, { actor: string; version: number }>
  /** Command ids that certainly did not take effect. */
  readonly refused: readonly string[]
  /** Command ids whose outcome nobody told, and why. */
  readonly unknown: ReadonlyMap<string, string>
}

export interface LoadOptions {
  /** Commands under way at a time. */
  readonly workers?: number
  readonly actors?: number
  /** How often a command is asked, by the same id, until it is acknowledged. */
  readonly asksMax?: number
}

/** Milliseconds before a worker goes on after a failure: without, it would only count failures. */
const retryAfter = 20

/** Deposits into accounts through any node, from several workers, until told to end. */
export class Load {
  readonly #open: OpenNamespace
  readonly #workers: Promise<void>[] = []
  readonly #acknowledged = new Map<string, { actor: string; version: number }>()
  readonly #refused: string[] = []
  readonly #unknown = new Map<string, string>()
  /** Commands asked more than once, each time counted. */
  askedAgain = 0
  #going = true
  #sent = 0

  private constructor(open: OpenNamespace) {
    this.#open = open
  }

  static async start(
    backend: Backend,
    namespace: string,
    { workers = 16, actors = 5, asksMax = 1 }: LoadOptions = {},
  ): Promise<Load> {
    const open = await backend.open({ namespace, nodeId: 'load' })
    const load = new Load(open)
    for (let worker = 0; worker < workers; worker++)
      load.#workers.push(load.#drive(worker, actors, asksMax))
    return load
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  get store() {
    return this.#open.store
  }

  /** Resolves when so many more are acknowledged than now. */
  async more(count: number, describe: string): Promise<void> {
    const enough = this.acknowledged + count
    await until(() => this.acknowledged >= enough, {
      describe: `${count} more deposits: ${describe}`,
      timeout: 120_000,
    })
  }

  /** Ends the load and waits for the answers that are due. */
  async end(): Promise<LoadResult> {
    this.#going = false
    await Promise.all(this.#workers)
    return {
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      unknown: this.#unknown,
    }
  }

  async close(): Promise<void> {
    this.#going = false
    await Promise.allSettled(this.#workers)
    await this.#open.close()
  }

  async #drive(worker: number, actors: number, asksMax: number): Promise<void> {
    while (this.#going) {
      const n = this.#sent++
      const commandId = `c-${worker}-${n}`
      const actor = { type: 'account', id: `a${n % actors}` }
      for (let ask = 1; ask <= asksMax; ask++) {
        const failure = await this.#ask(actor, commandId)
        if (failure === undefined) break
        if (ask < asksMax) this.askedAgain++
        else this.#giveUp(commandId, failure)
        await pause(retryAfter)
      }
    }
  }

  /** Resolves with what went wrong, if anything did. */
  async #ask(actor: ActorAddress, commandId: string): Promise<unknown> {
    try {
      const data = { amount: 1 }
      const outcome = (await this.#open.transport.request(
        { kind: 'ask', actor, command: 'deposit', data, commandId },
        { timeout: 5_000 },
      )) as AskOutcome
      if (!outcome.ok) throw new Error('a deposit was declined')
      this.#acknowledged.set(commandId, { actor: actor.id, version: outcome.version })
      return undefined
    } catch (error) {
      return error
    }
  }

  #giveUp(commandId: string, failure: unknown): void {
    const nothing = ['no-node', 'node-closed', 'store-unreachable', 'contention']
    if (isCairnError(failure) && nothing.includes(failure.code))
      this.#refused.push(commandId)
    else this.#unknown.set(commandId, messageOf(failure))
  }
}

export interface LogFacts {
  /** How often each command id stands in the log. */
  readonly commands: ReadonlyMap<string, number>
  /** Actor → version → command id. */
  readonly versions: ReadonlyMap<string, ReadonlyMap<number, string>>
  /** Nodes that wrote, with how many commits of theirs stand in the log. */
  readonly writers: ReadonlyMap<string, number>
  /** Actors whose versions are not 1, 2, 3 … in this order. */
  readonly gaps: readonly string[]
  readonly malformed: number
}

/** Reads the whole log and says what is in it. */
export async function examine(store: OpenNamespace['store']): Promise<LogFacts> {
  const commands = new Map<string, number>()
  const versions = new Map<string, Map<number, string>>()
  const writers = new Map<string, number>()
  const gaps: string[] = []
  let malformed = 0
  for await (const record of store.readAll()) {
    if (record.kind === 'malformed') {
      malformed++
      continue
    }
    const of = versions.get(record.actor.id) ?? new Map<number, string>()
    versions.set(record.actor.id, of)
    if (record.firstVersion !== of.size + 1)
      gaps.push(`${record.actor.id}@${record.firstVersion}`)
    const acts = commitSlicesOf(record)
    writers.set(record.nodeId, (writers.get(record.nodeId) ?? 0) + acts.length)
    for (const event of record.events) of.set(event.version, event.commandId ?? '')
    for (const { command } of acts)
      if (command !== undefined)
        commands.set(command.id, (commands.get(command.id) ?? 0) + 1)
  }
  return { commands, versions, writers, gaps, malformed }
}

/** P1, P3, P4: one history, nothing acknowledged is lost, nothing is there twice. */
export function holds(
  t: Test,
  { acknowledged, refused, unknown }: LoadResult,
  log: LogFacts,
) {
  t.strictSame(log.gaps, [], 'versions have no gap')
  t.equal(log.malformed, 0, 'every record is a commit')
  const lost = [...acknowledged].filter(
    ([id, { actor, version }]) => log.versions.get(actor)?.get(version) !== id,
  )
  t.strictSame(
    lost,
    [],
    'every acknowledged command is in the log, at the version it was told',
  )
  const twice = [...log.commands].filter(([, times]) => times > 1)
  t.strictSame(twice, [], 'no command is in the log twice')
  const untrue = refused.filter(id => log.commands.has(id))
  t.strictSame(untrue, [], 'no refused command is in the log')
  t.comment(
    `${acknowledged.size} acknowledged, ${refused.length} refused, ${unknown.size} unanswered, ` +
      `${log.commands.size} in the log, written by ${[...log.writers].map(([id, n]) => `${id}: ${n}`).join(', ')}`,
  )
}
