// Real node processes for the tests: `node dist/node.js`, compiled, as users run it.
//
// Roles and verbs: start some nodes, ask through whichever answers, stop or kill one, and
// hold the log against what was acknowledged.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { jetstream } from '../../src/backend/jetstream.js'
import type { OpenNamespace } from '../../src/backend/backend.js'
import { isCairnError } from '../../src/model/errors.js'
import type { AskOutcome } from '../../src/model/sender.js'
import { until } from '../support/wait.js'

export interface NodeProcess extends AsyncDisposable {
  readonly pid: number
  /** Every log line so far, parsed. */
  readonly lines: readonly Record<string, unknown>[]
  readonly stderr: () => string
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** Resolves when it has ended by itself, with the exit code. */
  readonly ended: Promise<number | null>
}

/** Starts a process of this package and collects what it says. */
export function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, {
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  } as never) as ChildProcess
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, ended, stdout: () => stdout, stderr: () => stderr }
}

/** Runs `cairn` and resolves with what it printed and how it ended. */
export async function cairn(...args: string[]) {
  const program = run(['dist/cli/main.js', ...args])
  const code = await program.ended
  const lines = program
    .stdout()
    .split('\n')
    .filter(line => line !== '')
  return { code, lines, stdout: program.stdout(), stderr: program.stderr() }
}

/** Starts one node and resolves when it says that it is ready. */
export async function startNode(...args: string[]): Promise<NodeProcess> {
  const { child, ended, stderr } = run(['dist/node.js', ...args])
  const lines: Record<string, unknown>[] = []
  createInterface({ input: child.stdout! }).on('line', line => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
  })
  let over = false
  void ended.then(() => (over = true))
  await until(
    () => {
      if (over) throw new Error(`the node ended before it was ready: ${stderr()}`)
      return lines.some(line => line.msg === 'node ready')
    },
    { describe: 'the node says "node ready"', timeout: 20_000 },
  )
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return {
    pid: child.pid!,
    lines,
    stderr,
    ended,
    kill,
    async stop() {
      child.kill('SIGTERM')
      return ended
    },
    [Symbol.asyncDispose]: kill,
  }
}

/** What a load came to. */
export interface LoadResult {
  /** Command ids that were acknowledged, with the version each got. */
  readonly acknowledged: ReadonlyMap<string, { actor: string; version: number }>
  /** Command ids that certainly did not take effect. */
  readonly refused: readonly string[]
  /** Command ids whose outcome nobody told. */
  readonly unknown: readonly string[]
}

/** Deposits into accounts through any node, from several lanes, until told to end. */
export class Load {
  readonly #open: OpenNamespace
  readonly #lanes: Promise<void>[] = []
  readonly #acknowledged = new Map<string, { actor: string; version: number }>()
  readonly #refused: string[] = []
  readonly #unknown: string[] = []
  #going = true
  #sent = 0

  private constructor(open: OpenNamespace) {
    this.#open = open
  }

  static async start(
    servers: string,
    namespace: string,
    { lanes = 16, actors = 5 } = {},
  ): Promise<Load> {
    const open = await jetstream({ servers }).open({ namespace, nodeId: 'load' })
    const load = new Load(open)
    for (let lane = 0; lane < lanes; lane++) load.#lanes.push(load.#drive(lane, actors))
    return load
  }

  get acknowledged(): number {
    return this.#acknowledged.size
  }

  get store() {
    return this.#open.store
  }

  /** Ends the load and waits for the answers that are due. */
  async end(): Promise<LoadResult> {
    this.#going = false
    await Promise.all(this.#lanes)
    return {
      acknowledged: this.#acknowledged,
      refused: this.#refused,
      unknown: this.#unknown,
    }
  }

  async close(): Promise<void> {
    this.#going = false
    await Promise.allSettled(this.#lanes)
    await this.#open.close()
  }

  async #drive(lane: number, actors: number): Promise<void> {
    while (this.#going) {
      const n = this.#sent++
      const commandId = `c-${lane}-${n}`
      const actor = { type: 'account', id: `a${n % actors}` }
      const data = { amount: 1 }
      try {
        const outcome = (await this.#open.transport.request(
          { kind: 'ask', actor, command: 'deposit', data, commandId },
          { timeout: 5_000 },
        )) as AskOutcome
        if (outcome.ok)
          this.#acknowledged.set(commandId, { actor: actor.id, version: outcome.version })
      } catch (error) {
        const nothing = ['no-node', 'node-closed', 'store-unreachable', 'contention']
        if (isCairnError(error) && nothing.includes(error.code))
          this.#refused.push(commandId)
        else this.#unknown.push(commandId)
      }
    }
  }
}

export interface LogFacts {
  /** How often each command id stands in the log. */
  readonly commands: ReadonlyMap<string, number>
  /** Actor → version → command id. */
  readonly versions: ReadonlyMap<string, ReadonlyMap<number, string>>
  /** Actors whose versions are not 1, 2, 3 … in this order. */
  readonly gaps: readonly string[]
  readonly malformed: number
}

/** Reads the whole log and says what is in it. */
export async function examine(store: OpenNamespace['store']): Promise<LogFacts> {
  const commands = new Map<string, number>()
  const versions = new Map<string, Map<number, string>>()
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
    for (const event of record.events) of.set(event.version, record.command?.id ?? '')
    const id = record.command?.id
    if (id !== undefined) commands.set(id, (commands.get(id) ?? 0) + 1)
  }
  return { commands, versions, gaps, malformed }
}
