// A call: one caller's wait for an actor, from arrival to answer.
//
// Owns the caller's promise, deadline and signal. The deadline is one of its owner's many
// (model/deadlines.ts), so it is noticed a few milliseconds late; nothing is stored behind it.
// C1. Answered exactly once.
// C2. Given up (deadline, signal, closing node) before its append began: answered at once,
//     `isOver` from then on, and whoever works on it must store nothing.
// C3. Given up while its append is under way: only the store can know what came of it, so
//     the store is told to stop waiting, and its answer is the caller's.
// C4. A controller is used again only when its signal did not fire and the call was answered:
//     nobody works on it any more then.

import type { Deadlines, Expiring } from '../model/deadlines.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { abortedError } from '../model/wait.js'

export const callTimeoutDefault = 10_000
const timeoutMax = 2 ** 31 - 1

export interface CallOptions {
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What those who work on a call may do with it. */
export type OpenCall = Pick<
  Call<unknown>,
  'arrived' | 'signal' | 'timeLeft' | 'check' | 'beginStoring' | 'endStoring' | 'giveUp'
>

/** What a call is about, for errors. */
export interface CallSubject {
  /** `command "deposit" to account/alice` */
  describe(): string
  /** What the caller is told of an error. */
  explain(error: unknown): unknown
}

/** What calls share that have one owner. */
export class CallPorts {
  readonly deadlines: Deadlines
  readonly #spare: AbortController[] = []

  constructor(deadlines: Deadlines) {
    this.deadlines = deadlines
  }

  takeController(): AbortController {
    return this.#spare.pop() ?? new AbortController()
  }

  /** C4. */
  giveBack(controller: AbortController): void {
    if (this.#spare.length < spareMax) this.#spare.push(controller)
  }
}

/** Controllers kept for calls to come. */
const spareMax = 1024

export class Call<T> implements Expiring {
  /** When it arrived, in the host's ticks. */
  readonly arrived: number
  readonly deadline: number
  readonly promise: Promise<T>
  readonly #subject: CallSubject
  readonly #timeout: number
  readonly #ports: CallPorts
  readonly #callerSignal: AbortSignal | undefined
  readonly #abort: (() => void) | undefined
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void
  #phase: 'open' | 'storing' | 'over' = 'open'
  #givenUp: CairnError | undefined
  #controller: AbortController | undefined
  #onOver: (() => void)[] | undefined

  /** Throws `aborted` when the signal has already fired, `invalid-option` for the timeout. */
  constructor(
    subject: CallSubject,
    arrived: number,
    { timeout = callTimeoutDefault, signal }: CallOptions,
    ports: CallPorts,
  ) {
    checkTimeout(timeout)
    if (signal?.aborted) throw abortedError(signal, subject.describe())
    this.arrived = arrived
    this.#subject = subject
    this.#timeout = timeout
    this.#ports = ports
    this.deadline = performance.now() + timeout
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    ports.deadlines.add(this)
    this.#callerSignal = signal
    if (signal === undefined) return
    this.#abort = () => this.giveUp(abortedError(signal, subject.describe()))
    signal.addEventListener('abort', this.#abort, { once: true })
  }

  get isOver(): boolean {
    return this.#phase === 'over'
  }

  /** Fires when the call is given up. */
  get signal(): AbortSignal {
    this.#controller ??= this.#ports.takeController()
    if (this.#givenUp !== undefined) this.#controller.abort(this.#givenUp)
    return this.#controller.signal
  }

  /** Milliseconds left, at least 1: whoever is late hears from the signal. */
  get timeLeft(): number {
    return Math.max(1, Math.ceil(this.deadline - performance.now()))
  }

  /** Called once, when the call is over, with the others in the order they were given. */
  onOver(callback: () => void): void {
    if (this.#onOver === undefined) this.#onOver = [callback]
    else this.#onOver.push(callback)
  }

  /** Throws the reason when the call was given up (C2). */
  check(): void {
    if (this.#givenUp !== undefined) throw this.#givenUp
  }

  /** From here to {@link endStoring}, C3 holds instead of C2. Throws when given up before. */
  beginStoring(): void {
    // Deadlines are noticed late: nothing begins behind it all the same.
    if (performance.now() >= this.deadline) this.expire()
    this.check()
    this.#phase = 'storing'
  }

  endStoring(): void {
    if (this.#phase === 'storing') this.#phase = 'open'
  }

  resolve(value: T): void {
    if (!this.#end()) return
    if (this.#controller !== undefined && this.#givenUp === undefined) {
      this.#ports.giveBack(this.#controller)
      this.#controller = undefined
    }
    this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#end()) this.#reject(this.#subject.explain(error))
  }

  /** Ends a call that was never accepted: whoever made it is told in another way. */
  withdraw(): void {
    this.#end()
  }

  giveUp(why: CairnError): void {
    if (this.#phase === 'over' || this.#givenUp !== undefined) return
    this.#givenUp = why
    if (this.#phase !== 'storing') this.fail(why)
    this.#controller?.abort(why)
  }

  /** Its deadline has passed. */
  expire(): void {
    this.giveUp(
      new CairnError(
        'deadline-exceeded',
        `The ${this.#subject.describe()} was not finished within ${this.#timeout} ms; nothing was stored.`,
        { details: { timeout: this.#timeout } },
      ),
    )
  }

  #end(): boolean {
    if (this.#phase === 'over') return false
    this.#phase = 'over'
    this.#ports.deadlines.remove(this)
    if (this.#abort !== undefined)
      this.#callerSignal?.removeEventListener('abort', this.#abort)
    if (this.#onOver !== undefined) for (const callback of this.#onOver) callback()
    return true
  }
}

/** Throws `invalid-option`. */
export function checkTimeout(timeout: number): void {
  if (typeof timeout === 'number' && timeout >= 1 && timeout <= timeoutMax) return
  throw new CairnError(
    'invalid-option',
    `timeout is ${typeof timeout === 'number' ? timeout : show(timeout)}: ` +
      `use 1 to ${timeoutMax} milliseconds.`,
    { details: { timeout } },
  )
}
