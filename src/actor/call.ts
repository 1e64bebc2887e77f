// A call: one caller's wait for an actor, from arrival to answer.
//
// Owns the caller's promise, deadline and signal.
// C1. Answered exactly once.
// C2. Given up (deadline, signal, closing node) before its append began: answered at once,
//     `isOver` from then on, and whoever works on it must store nothing.
// C3. Given up while its append is under way: only the store can know what came of it, so
//     the store is told to stop waiting, and its answer is the caller's.

import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { abortedError, deferred, throwIfAborted } from '../model/wait.js'

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

export class Call<T> {
  /** When it arrived, in the host's ticks. */
  readonly arrived: number
  readonly #doing: string
  readonly #deadline: number
  readonly #timeout: number
  readonly #timer: NodeJS.Timeout
  readonly #callerSignal: AbortSignal | undefined
  readonly #explain: (error: unknown) => unknown
  readonly #answer = deferred<T>()
  #phase: 'open' | 'storing' | 'over' = 'open'
  #givenUp: CairnError | undefined
  #controller: AbortController | undefined
  readonly #onOver: (() => void)[] = []

  /**
   * @param doing what the caller waits for, for errors: `command "deposit" to account/alice`
   * @param explain makes of an error what the caller is told
   * Throws `aborted` when the signal has already fired, `invalid-option` for the timeout.
   */
  constructor(
    doing: string,
    arrived: number,
    options: CallOptions,
    explain: (error: unknown) => unknown = error => error,
  ) {
    const { timeout = callTimeoutDefault, signal } = options
    checkTimeout(timeout)
    throwIfAborted(signal, doing)
    this.arrived = arrived
    this.#doing = doing
    this.#explain = explain
    this.#timeout = timeout
    this.#deadline = performance.now() + timeout
    this.#timer = setTimeout(this.#expire, timeout)
    this.#callerSignal = signal
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  get promise(): Promise<T> {
    return this.#answer.promise
  }

  get isOver(): boolean {
    return this.#phase === 'over'
  }

  /** Fires when the call is given up. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#givenUp !== undefined) this.#controller.abort(this.#givenUp)
    return this.#controller.signal
  }

  /** Milliseconds left, at least 1: whoever is late hears from the signal. */
  get timeLeft(): number {
    return Math.max(1, Math.ceil(this.#deadline - performance.now()))
  }

  /** Called once, when the call is over, with the others in the order they were given. */
  onOver(callback: () => void): void {
    this.#onOver.push(callback)
  }

  /** Throws the reason when the call was given up (C2). */
  check(): void {
    if (this.#givenUp !== undefined) throw this.#givenUp
  }

  /** From here to {@link endStoring}, C3 holds instead of C2. Throws when given up before. */
  beginStoring(): void {
    // A busy process may be late to fire the timer: nothing begins behind the deadline.
    if (performance.now() >= this.#deadline) this.#expire()
    this.check()
    this.#phase = 'storing'
  }

  endStoring(): void {
    if (this.#phase === 'storing') this.#phase = 'open'
  }

  resolve(value: T): void {
    if (this.#end()) this.#answer.resolve(value)
  }

  fail(error: unknown): void {
    if (this.#end()) this.#answer.reject(this.#explain(error))
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

  readonly #expire = () =>
    this.giveUp(
      new CairnError(
        'deadline-exceeded',
        `The ${this.#doing} was not finished within ${this.#timeout} ms; nothing was stored.`,
        { details: { timeout: this.#timeout } },
      ),
    )

  readonly #abort = () => this.giveUp(abortedError(this.#callerSignal!, this.#doing))

  #end(): boolean {
    if (this.#phase === 'over') return false
    this.#phase = 'over'
    clearTimeout(this.#timer)
    this.#callerSignal?.removeEventListener('abort', this.#abort)
    for (const callback of this.#onOver) callback()
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
