// Admission: which calls the host accepts.
//
// Owns the number of open calls, and whether the host accepts calls at all (HOST-1, HOST-3).

import { Deadlines } from '../model/deadlines.js'
import { CairnError } from '../model/errors.js'
import { Call, type CallOptions, CallPorts, type CallSubject } from './call.js'

export class Admission {
  readonly #openMax: number
  readonly #ports = new CallPorts(new Deadlines(), () => void this.#open--)
  #open = 0
  #isClosed = false

  constructor(openMax: number) {
    this.#openMax = openMax
  }

  /** The number of open calls. */
  get open(): number {
    return this.#open
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Accepts nothing more. */
  close(): void {
    this.#isClosed = true
  }

  /** Throws `node-closed` after {@link close}. */
  checkNotClosed(): void {
    if (this.#isClosed) throw nodeClosed()
  }

  /** Throws `node-closed` or `queue-full` if no call is accepted now. */
  check(): void {
    this.checkNotClosed()
    if (this.#open >= this.#openMax) throw queueFull(this.#openMax)
  }

  /**
   * Opens a call, which counts until it has ended; call {@link check} before.
   * @param arrivedAt the tick of the host's logical time
   */
  admit<T>(subject: CallSubject, arrivedAt: number, options: CallOptions): Call<T> {
    const call = new Call<T>(subject, arrivedAt, options, this.#ports)
    this.#open++
    return call
  }
}

export function nodeClosed(): CairnError {
  return new CairnError(
    'node-closed',
    'This node is closing and accepts no more commands: send to another node.',
  )
}

function queueFull(limit: number): CairnError {
  return new CairnError(
    'queue-full',
    `This node has ${limit} open commands, its limit: send again later, or send at a lower rate.`,
    { details: { limit } },
  )
}
