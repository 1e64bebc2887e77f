// The node of `cairn dev`, as a process: its code cannot be loaded twice into one.
//
// Owns the process and its output.
// DEV-NODE-1. One process runs at a time: a restart waits for the drain of the last one.
// DEV-NODE-2. The process ends with this one, however this one ends: it drains when the channel between them closes.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { endsWithParent } from '../program/node-flags.js'
import { plain } from '../program/plain.js'
import { clearLine, type Style, styled, terminalOf } from './terminal.js'

const program = fileURLToPath(new URL('../node.js', import.meta.url))

export class DevNode {
  readonly #args: readonly string[]
  readonly #json: boolean
  #child: ChildProcess | undefined
  #turn: Promise<void> = Promise.resolve()
  #isStopped = false
  #waiting = 0

  /** @param json whether log lines are passed on as they are */
  constructor(args: readonly string[], json: boolean) {
    this.#args = args
    this.#json = json
  }

  /** Drains the present process, and starts another (DEV-NODE-1). Several calls meanwhile are one. */
  restart(): void {
    if (this.#waiting > 0) return
    this.#waiting++
    this.#turn = this.#turn.then(async () => {
      await this.#end()
      this.#waiting--
      if (!this.#isStopped) this.#start()
    })
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#turn
    await this.#end()
  }

  #start(): void {
    // In its own session: Ctrl-C in a terminal reaches only this process, which then drains the node.
    const child = spawn(process.execPath, [program, ...this.#args], {
      detached: true,
      // DEV-NODE-2.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: { ...process.env, [endsWithParent]: '1' },
    })
    this.#child = child
    createInterface({ input: child.stdout! }).on('line', line => {
      process.stdout.write(`${this.#json ? line : readable(line)}\n`)
    })
    child.once('exit', code => {
      if (this.#child !== child) return
      this.#child = undefined
      if (code !== 0)
        process.stderr.write(
          `The node has ended (${code}): it starts again when a file changes.\n`,
        )
    })
  }

  async #end(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

const levels: Readonly<Record<number, readonly [name: string, style: Style]>> = {
  10: ['trace', 'dim'],
  20: ['debug', 'dim'],
  30: ['info', 'green'],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
  60: ['fatal', 'red'],
}

/** A log line for people: time, level, message, and the rest as `name=value`. */
function readable(line: string): string {
  let record: Record<string, unknown>
  try {
    record = JSON.parse(line) as Record<string, unknown>
  } catch {
    return plain(line)
  }
  const terminal = terminalOf(process.stdout)
  const { level, time, msg, pid: _pid, node: _node, namespace: _ns, ...rest } = record
  const [name, style] = levels[Number(level)] ?? ['log', 'dim']
  const at = new Date(Number(time)).toISOString().slice(11, 19)
  const fields = Object.entries(rest).map(
    ([key, value]) =>
      `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const text = [plain(String(msg)), styled(terminal, 'dim', plain(fields.join(' ')))]
  const clear = terminal.isTerminal ? clearLine : ''
  return `${clear}${at} ${styled(terminal, style, name.padEnd(5))} ${text.join('  ').trimEnd()}`
}
