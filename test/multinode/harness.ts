// Real node processes for the tests: `node dist/node.js`, compiled, as users run it.
//
// Verbs: start a node, run the command line, stop or kill what was started. `load.ts` keeps
// the nodes busy and holds the log against what they acknowledged.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

import { bare } from '../support/bare.js'
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
export function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd = process.cwd(),
) {
  const child: ChildProcess = spawn(...bare(process.execPath, ...args), {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
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
