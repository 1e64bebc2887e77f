// One forked process of a run.
//
// It sends `{ kind: 'ready' }` when it can be used. It answers a message that has an `id` by one with the same `id`. It
// must end by itself when its channel is disconnected.

import { type ChildProcess, fork } from 'node:child_process'
import { appendFileSync, closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

import { bareFork } from '../../support/bare.js'
import type { Journal } from '../history.js'
import type { Line } from '../place.js'
import { CleanUp } from './clean-up.js'
import type { FakeClock } from './fake-clock.js'

export type Role = 'host' | 'client'

export interface Settings {
  /** Which version of the behaviors it runs. Default `old`. */
  readonly code?: 'old' | 'new'
  /** `fake`: its wall clock can be shifted, where libfaketime is installed. Default `real`. */
  readonly clock?: 'real' | 'fake'
  /** The id of the host's node. Default: the process's name. */
  readonly nodeId?: string
}

export interface TrustProcess {
  readonly name: string
  readonly role: Role
  readonly pid: number
  readonly settings: Settings
  /** None where there are no servers. */
  readonly line: Line | undefined
  readonly isAlive: boolean
  readonly hasFakeClock: boolean
  /** Resolves with the exit code when it has ended; `null` if a signal ended it. */
  readonly ended: Promise<number | null>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: it does nothing, and its connections stand. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** SIGTERM; the exit code. After 30 s it is killed, which is journalled as an error. */
  stop(): Promise<number | null>
  /** Sends a message; does nothing if it has ended. */
  tell(message: object): void
  /** Sends a message with an `id` of its own; resolves with the answer that has the same `id`. */
  ask(message: object, timeout?: number): Promise<object>
  /** Its wall clock is `ms` ahead of the machine's from now on. Does nothing if its clock is real. */
  shiftClock(ms: number): void
}

/**
 * Faults that nobody injected, as they stand in the history under `fault`; `target` is the process. What is known of
 * them stands at the end of the process's output.
 */
export type ProcessError =
  /** It ended by itself, with a code other than 0 or by a signal. */
  | 'unexpected-end'
  /** SIGTERM was answered by a code other than 0. */
  | 'drain-failed'
  /** It was still there 30 s after SIGTERM. */
  | 'drain-did-not-end'

export const processErrors: readonly ProcessError[] = [
  'unexpected-end',
  'drain-failed',
  'drain-did-not-end',
]

export interface ForkOptions {
  readonly role: Role
  readonly name: string
  readonly settings: Settings
  readonly program: URL
  /** `TRUST`, as JSON. */
  readonly trust: object
  /** Where its output is appended. */
  readonly output: string
  readonly line: Line | undefined
  readonly clock: FakeClock | undefined
  readonly journal: Journal
}

const readyTimeout = 30_000
const drainTimeout = 30_000
const outputShown = 4_000

export class ForkedProcess implements TrustProcess {
  readonly name: string
  readonly role: Role
  readonly pid: number
  readonly settings: Settings
  readonly line: Line | undefined
  readonly ended: Promise<number | null>
  readonly #child: ChildProcess
  readonly #options: ForkOptions
  readonly #asked = new Map<number, (answer: object) => void>()
  readonly #ready: Promise<void>
  #asks = 0
  #isReady = false
  #isEndWanted = false

  constructor(options: ForkOptions) {
    const { name, role, settings, line, program, trust, clock } = options
    this.#options = options
    this.name = name
    this.role = role
    this.settings = settings
    this.line = line
    const output = openSync(options.output, 'a')
    this.#child = fork(program, {
      ...bareFork,
      env: { ...process.env, ...clock?.env, TRUST: JSON.stringify(trust) },
      stdio: ['ignore', output, output, 'ipc'],
    })
    closeSync(output)
    const child = this.#child
    this.pid = child.pid ?? Number.NaN // it could not be started: `ended` follows
    this.ended = new Promise(resolve => {
      child.once('exit', code => resolve(code))
      child.once('error', () => resolve(null)) // it could not be started
    })
    if (child.pid !== undefined) {
      const cleanUp = new CleanUp('kill -9 "$1"', String(child.pid))
      // Another process may get the pid once it is free.
      void this.ended.then(() => cleanUp.cancel())
    }
    void this.ended.then(() => this.#checkEnd())
    this.#ready = new Promise(resolve => {
      child.on('message', (message: { kind?: string; id?: number }) => {
        if (message.kind === 'ready') resolve()
        else if (message.id !== undefined) this.#asked.get(message.id)?.(message)
      })
    })
  }

  /** Resolves when it has said so; else it is killed. */
  async ready(): Promise<void> {
    const timer = new AbortController()
    const first = await Promise.race([
      this.#ready.then(() => 'ready'),
      this.ended.then(code => `it ended with ${code} before it was ready`),
      after(readyTimeout, timer.signal).then(
        () => `it was not ready within ${readyTimeout} ms`,
      ),
    ])
    timer.abort()
    if (first === 'ready') {
      this.#isReady = true
      if (!this.isAlive) this.#checkEnd()
      return
    }
    await this.kill()
    const said = (await readFile(this.#options.output, 'utf8')).slice(-outputShown)
    throw new Error(
      `${this.role} ${this.name} did not start: ${first}; it said:\n${said}`,
    )
  }

  get isAlive(): boolean {
    const { pid, exitCode, signalCode } = this.#child
    return pid !== undefined && exitCode === null && signalCode === null
  }

  /** Ready, and not ended. */
  get isUsable(): boolean {
    return this.#isReady && this.isAlive
  }

  get hasFakeClock(): boolean {
    return this.#options.clock !== undefined
  }

  async kill(): Promise<void> {
    this.#isEndWanted = true
    this.#child.kill('SIGKILL')
    await this.ended
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  async stop(): Promise<number | null> {
    if (!this.isAlive) return this.ended
    this.#isEndWanted = true
    this.#child.kill('SIGTERM')
    this.thaw()
    const timer = new AbortController()
    const isLate = await Promise.race([
      this.ended.then(() => false),
      after(drainTimeout, timer.signal).then(() => true),
    ])
    timer.abort()
    if (isLate) {
      this.#report('drain-did-not-end', `it was still there ${drainTimeout} ms later`)
      await this.kill()
    }
    const code = await this.ended
    // A signal is the kill above, or another fault's.
    if (code !== 0 && code !== null)
      this.#report('drain-failed', `it ended with code ${code} after SIGTERM`)
    return code
  }

  tell(message: object): void {
    // It may end before the message is sent.
    if (this.#child.connected) this.#child.send(message, () => {})
  }

  async ask(message: object, timeout = 10_000): Promise<object> {
    const id = ++this.#asks
    const timer = new AbortController()
    try {
      const answer = new Promise<object>(resolve => this.#asked.set(id, resolve))
      this.tell({ ...message, id })
      return await Promise.race([
        answer,
        this.ended.then(() => this.#failAsk('it has ended')),
        after(timeout, timer.signal).then(() =>
          this.#failAsk(`no answer within ${timeout} ms`),
        ),
      ])
    } finally {
      timer.abort()
      this.#asked.delete(id)
    }
  }

  shiftClock(ms: number): void {
    this.#options.clock?.shift(ms)
  }

  #failAsk(reason: string): never {
    throw new Error(`${this.name} did not answer: ${reason}`)
  }

  #checkEnd(): void {
    const { exitCode, signalCode } = this.#child
    if (this.#isReady && !this.#isEndWanted && exitCode !== 0)
      this.#report(
        'unexpected-end',
        `it ended by itself: ${signalCode ?? `code ${exitCode}`}`,
      )
  }

  #report(fault: ProcessError, detail: string): void {
    const { journal, output, name } = this.#options
    journal.write({ kind: 'fault', fault, target: name, phase: 'begun' })
    appendFileSync(output, `${fault}: ${detail}\n`)
  }
}

/** Resolves after `ms`, unless the signal fires before. */
function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  })
}
