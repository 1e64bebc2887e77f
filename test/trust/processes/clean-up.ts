// Work that is done even if this process is killed: a shell waits for the end of a pipe that only this process
// holds open.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

export class CleanUp {
  readonly #shell: ChildProcess

  /** @param script gets the arguments as `$1`, `$2` and so on */
  constructor(script: string, ...args: readonly string[]) {
    // In a session of its own: Ctrl-C in a terminal does not reach it.
    this.#shell = spawn('sh', ['-c', `read -r _; ${script}`, 'sh', ...args], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#shell.on('error', error =>
      process.emitWarning(`this will not be cleaned up: ${script}: ${error.message}`),
    )
    this.#shell.unref()
    // The pipe's handle is a socket.
    ;(this.#shell.stdin as Socket).unref()
  }

  /** Does the work now. */
  async run(): Promise<void> {
    if (this.#hasEnded) return
    const ended = once(this.#shell, 'exit')
    this.#shell.ref()
    this.#shell.stdin!.end()
    await ended
  }

  /** The work need not be done any more. */
  cancel(): void {
    if (!this.#hasEnded) this.#shell.kill('SIGKILL')
  }

  get #hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#shell
    return pid === undefined || exitCode !== null || signalCode !== null
  }
}
