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
// C5. Given up while its command is stored together with those of others: it is answered
//     `outcome-unknown`, and the others go on; when all have given up, or must, C3 holds for them.

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
  | 'arrived'
  | 'signal'
  | 'timeLeft'
  | 'check'
  | 'checkDeadline'
  | 'beginStoring'
  | 'endStoring'
  | 'giveUp'
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
  /** Hears of each call that is over. */
  readonly ended: (() => void) | undefined
  readonly #spare: AbortController[] = []

  constructor(deadlines: Deadlines, ended?: () => void) {
    this.deadlines = deadlines
    this.ended = ended
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
  #abandonedAs: CairnError | undefined
  #controller: AbortController | undefined
  /** While it is stored together with others (C5). */
  #sharedAppend: SharedAppend | undefined
  #onOver: (() => void) | undefined

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
    if (this.#abandonedAs !== undefined) this.#controller.abort(this.#abandonedAs)
    return this.#controller.signal
  }

  /** Milliseconds left, at least 1: whoever is late hears from the signal. */
  get timeLeft(): number {
    return Math.max(1, Math.ceil(this.deadline - performance.now()))
  }

  /** Called once, when the call is over; only one can be. */
  onOver(callback: () => void): void {
    this.#onOver = callback
  }

  /** Throws the reason when the call was given up (C2). */
  check(): void {
    if (this.#abandonedAs !== undefined) throw this.#abandonedAs
  }

  /** From here to {@link endStoring}, C3 or C5 holds instead of C2. Throws when given up before. */
  beginStoring(together?: SharedAppend): void {
    this.checkDeadline()
    this.check()
    this.#phase = 'storing'
    this.#sharedAppend = together
  }

  endStoring(): void {
    this.#sharedAppend = undefined
    if (this.#phase === 'storing') this.#phase = 'open'
  }

  /** Deadlines are noticed late: nothing begins behind it all the same. */
  checkDeadline(): void {
    if (performance.now() >= this.deadline) this.expire()
  }

  resolve(value: T): void {
    if (!this.#end()) return
    if (this.#controller !== undefined && this.#abandonedAs === undefined) {
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
    if (this.#phase === 'over' || this.#abandonedAs !== undefined) return
    this.#abandonedAs = why
    if (this.#phase !== 'storing') this.fail(why)
    else if (this.#sharedAppend?.leave(why) === true) this.fail(this.#unknown(why))
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

  #unknown(why: CairnError): CairnError {
    return new CairnError(
      'outcome-unknown',
      `The ${this.#subject.describe()} was given up (${why.code}) while it was being stored together with ` +
        'others: it may be stored, or not. Read the actor, and send the command again only if its events are missing.',
      { cause: why },
    )
  }

  #end(): boolean {
    if (this.#phase === 'over') return false
    this.#phase = 'over'
    this.#ports.deadlines.remove(this)
    if (this.#abort !== undefined)
      this.#callerSignal?.removeEventListener('abort', this.#abort)
    this.#ports.ended?.()
    this.#onOver?.()
    return true
  }
}

/** Calls whose commands are being stored as one commit (C5). */
export class SharedAppend {
  readonly #over = new AbortController()
  /** How many have not given up. */
  #waiting: number

  constructor(calls: number) {
    this.#waiting = calls
  }

  /** Fires when all of them have given up. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** One of them gives up; returns whether others still wait. */
  leave(why: CairnError): boolean {
    if (this.signal.aborted) return false
    if (--this.#waiting > 0) return true
    this.#over.abort(why)
    return false
  }

  /** All of them must give up. */
  end(why: CairnError): void {
    if (!this.signal.aborted) this.#over.abort(why)
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
