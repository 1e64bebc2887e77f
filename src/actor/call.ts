// A call: one caller's wait for an actor, from arrival to answer.
//
// Owns the caller's promise, deadline and signal. The calls of a host share one timer for their
// deadlines (model/deadlines.ts), so a deadline is noticed a few milliseconds late. Nothing is stored
// after it.
// CALL-1. A call is answered exactly once.
// CALL-2. A call that is given up (deadline, signal, closing node) before its append begins is
//     answered at once. `hasEnded` is true from then on, and nothing may be stored for it.
// CALL-3. When a call is given up during its append, only the store knows the outcome. The store is
//     told to stop waiting, and its answer is the caller's.
// CALL-4. A controller is reused only when its signal did not fire and the call was answered: nothing
//     works on that call any more.
// CALL-5. A call that is given up while its command is stored in a batch is answered
//     `outcome-unknown`, and the others continue. When all of them are given up, CALL-3 holds.

import type { Deadlines, Expiring } from '../model/deadlines.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import { abortedError, timerMax } from '../model/wait.js'
import { offAbort, onAbort } from '../model/on-abort.js'

export const callTimeoutDefault = 10_000

export interface CallOptions {
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The part of a call that its processing uses. */
export type OpenCall = Pick<
  Call<unknown>,
  | 'arrivedAt'
  | 'signal'
  | 'timeLeft'
  | 'check'
  | 'checkDeadline'
  | 'onExpiry'
  | 'beginStoring'
  | 'endStoring'
  | 'giveUp'
>

/** The subject of a call, for error messages. */
export interface CallSubject {
  /** `command "deposit" to account/alice` */
  describe(): string
  /** The error as the caller gets it. */
  explainError(error: unknown): unknown
  /** What it counts for: the actor's type. */
  readonly kind: string
  /** Absent for a reading. */
  readonly isCommand?: boolean
}

/**
 * `rejected`: answered with a rejection. `failed`: with an error. `given-up`: nobody waits for it any more. `withdrawn`: it was
 * never accepted.
 */
export type CallEnd = 'answered' | 'rejected' | 'failed' | 'given-up' | 'withdrawn'

export type EndedCall = Pick<Call<unknown>, 'subject' | 'startedAt'>

/** The objects that all calls of one owner share. */
export class CallPorts {
  readonly deadlines: Deadlines
  /** Called for each call that has ended. */
  readonly onCallEnded: ((call: EndedCall, end: CallEnd) => void) | undefined
  readonly #spareControllers: AbortController[] = []

  constructor(deadlines: Deadlines, ended?: (call: EndedCall, end: CallEnd) => void) {
    this.deadlines = deadlines
    this.onCallEnded = ended
  }

  takeController(): AbortController {
    return this.#spareControllers.pop() ?? new AbortController()
  }

  /** CALL-4. */
  releaseController(controller: AbortController): void {
    if (this.#spareControllers.length < spareControllersMax)
      this.#spareControllers.push(controller)
  }
}

/** Controllers that are kept for reuse. */
const spareControllersMax = 1024

export class Call<T> implements Expiring {
  /** The tick of the host's logical time at which the call arrived. */
  readonly arrivedAt: number
  readonly deadline: number
  readonly promise: Promise<T>
  readonly subject: CallSubject
  readonly #timeout: number
  readonly #ports: CallPorts
  readonly #callerSignal: AbortSignal | undefined
  readonly #abort: (() => void) | undefined
  #resolve!: (value: T) => void
  #reject!: (reason: unknown) => void
  #phase: 'open' | 'storing' | 'ended' = 'open'
  #giveUpReason: CairnError | undefined
  #controller: AbortController | undefined
  /** Set while the command is stored in a batch (CALL-5). */
  #sharedAppend: SharedAppend | undefined
  #onEndedCallback: (() => void) | undefined
  #expiryError: (() => CairnError) | undefined

  /** Throws `aborted` when the signal has already fired, `invalid-option` for a wrong timeout. */
  constructor(
    subject: CallSubject,
    arrived: number,
    { timeout = callTimeoutDefault, signal }: CallOptions,
    ports: CallPorts,
  ) {
    checkTimeout(timeout)
    if (signal?.aborted) throw abortedError(signal, subject.describe())
    this.arrivedAt = arrived
    this.subject = subject
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
    onAbort(signal, this.#abort)
  }

  /** By `performance.now()`. */
  get startedAt(): number {
    return this.deadline - this.#timeout
  }

  get hasEnded(): boolean {
    return this.#phase === 'ended'
  }

  /** Fires when the call is given up. */
  get signal(): AbortSignal {
    this.#controller ??= this.#ports.takeController()
    if (this.#giveUpReason !== undefined) this.#controller.abort(this.#giveUpReason)
    return this.#controller.signal
  }

  /** Milliseconds left, at least 1: `signal` reports an expired deadline. */
  get timeLeft(): number {
    return Math.max(1, Math.ceil(this.deadline - performance.now()))
  }

  /** Sets the callback for the end of the call; replaces an earlier one. */
  onEnded(callback: () => void): void {
    this.#onEndedCallback = callback
  }

  /** Sets the error of a call whose deadline passes, in place of `deadline-exceeded`. */
  onExpiry(error: () => CairnError): void {
    this.#expiryError = error
  }

  /** Throws the reason when the call was given up (CALL-2). */
  check(): void {
    if (this.#giveUpReason !== undefined) throw this.#giveUpReason
  }

  /** From here to {@link endStoring}, CALL-3 or CALL-5 holds instead of CALL-2. Throws when the call was given up before. */
  beginStoring(sharedAppend?: SharedAppend): void {
    this.checkDeadline()
    this.check()
    this.#phase = 'storing'
    this.#sharedAppend = sharedAppend
  }

  endStoring(): void {
    this.#sharedAppend = undefined
    if (this.#phase === 'storing') this.#phase = 'open'
  }

  /** Expires the call when its deadline has passed: deadlines are noticed late, and nothing may begin after one. */
  checkDeadline(): void {
    if (performance.now() >= this.deadline) this.expire()
  }

  resolve(value: T): void {
    const { ok } = (value ?? {}) as { readonly ok?: boolean }
    if (!this.#end(ok === false ? 'rejected' : 'answered')) return
    if (this.#controller !== undefined && this.#giveUpReason === undefined) {
      this.#ports.releaseController(this.#controller)
      this.#controller = undefined
    }
    this.#resolve(value)
  }

  fail(error: unknown): void {
    this.#fail(error, 'failed')
  }

  /** Ends a call that was never accepted. Its promise stays pending. */
  withdraw(): void {
    this.#end('withdrawn')
  }

  /** Ends the call with this reason, or lets the store decide the outcome (CALL-2, CALL-3, CALL-5). */
  giveUp(reason: CairnError): void {
    if (this.#phase === 'ended' || this.#giveUpReason !== undefined) return
    this.#giveUpReason = reason
    if (this.#phase !== 'storing') this.#fail(reason, 'given-up')
    else if (this.#sharedAppend?.leave(reason) === true)
      this.#fail(this.#outcomeUnknownError(reason), 'given-up')
    this.#controller?.abort(reason)
  }

  /** Gives up the call because its deadline has passed. */
  expire(): void {
    this.giveUp(this.#expiryError?.() ?? this.#deadlineExceeded())
  }

  #deadlineExceeded(): CairnError {
    return new CairnError(
      'deadline-exceeded',
      `The ${this.subject.describe()} was not finished within ${Math.round(this.#timeout)} ms; nothing was stored.`,
      { details: { timeout: this.#timeout } },
    )
  }

  #outcomeUnknownError(reason: CairnError): CairnError {
    return new CairnError(
      'outcome-unknown',
      `The ${this.subject.describe()} was given up (${reason.code}) while it was being stored in a batch: ` +
        'it may or may not be stored. Read the actor, and send the command again only if its events are missing.',
      { cause: reason },
    )
  }

  #fail(error: unknown, end: CallEnd): void {
    if (this.#end(end)) this.#reject(this.subject.explainError(error))
  }

  #end(end: CallEnd): boolean {
    if (this.#phase === 'ended') return false
    this.#phase = 'ended'
    this.#ports.deadlines.remove(this)
    if (this.#abort !== undefined) offAbort(this.#callerSignal, this.#abort)
    this.#ports.onCallEnded?.(this, end)
    this.#onEndedCallback?.()
    return true
  }
}

/** The append of a batch: the calls whose commands it stores as one commit (CALL-5). */
export class SharedAppend {
  readonly #controller = new AbortController()
  /** How many calls have not been given up. */
  #participants: number

  constructor(calls: number) {
    this.#participants = calls
  }

  /** Fires when all of the calls have been given up. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Removes a call that is given up. Returns whether others still wait. */
  leave(reason: CairnError): boolean {
    if (this.signal.aborted) return false
    if (--this.#participants > 0) return true
    this.#controller.abort(reason)
    return false
  }

  /** Tells the store to stop waiting, whatever the calls do. */
  abort(reason: CairnError): void {
    if (!this.signal.aborted) this.#controller.abort(reason)
  }
}

/** Throws `invalid-option`. */
export function checkTimeout(timeout: number): void {
  if (typeof timeout === 'number' && timeout >= 1 && timeout <= timerMax) return
  throw invalidTimeout(timeout, `use 1 to ${timerMax} milliseconds`)
}

/** The same for a wait, which may be endless: `Infinity` is allowed. Throws `invalid-option`. */
export function checkWaitTimeout(timeout: number): void {
  const isInRange = timeout === Infinity || (timeout >= 1 && timeout <= timerMax)
  if (typeof timeout === 'number' && isInRange) return
  throw invalidTimeout(
    timeout,
    `use 1 to ${timerMax} milliseconds, or Infinity to wait until the signal fires or the node closes`,
  )
}

function invalidTimeout(timeout: unknown, use: string): CairnError {
  const given = typeof timeout === 'number' ? timeout : show(timeout)
  return new CairnError('invalid-option', `timeout is ${given}: ${use}.`, {
    details: { timeout },
  })
}
