// A commit that waits for its outcome in a group commit.

import type { ExpectingPublish, PublishOutcome } from './publish.js'
import { offAbort, onAbort } from '../model/on-abort.js'

export class GroupMember {
  readonly request: ExpectingPublish
  /** By `performance.now()`. */
  readonly deadline: number
  /** Whether it has been sent, alone or in a group. */
  isSent = false
  #settle: ((outcome: PublishOutcome) => void) | undefined
  readonly #reject: (error: unknown) => void
  readonly #onSettled: (member: GroupMember) => void

  constructor(
    request: ExpectingPublish,
    settle: (outcome: PublishOutcome) => void,
    reject: (error: unknown) => void,
    onSettled: (member: GroupMember) => void,
  ) {
    this.request = request
    this.deadline = performance.now() + request.timeout
    this.#settle = settle
    this.#reject = reject
    this.#onSettled = onSettled
    onAbort(request.signal, this.#abort)
  }

  get isSettled(): boolean {
    return this.#settle === undefined
  }

  settle(outcome: PublishOutcome): void {
    const settle = this.#settle
    if (settle === undefined) return
    this.#release()
    settle(outcome)
  }

  fail(error: unknown): void {
    if (this.#settle === undefined) return
    this.#release()
    this.#reject(error)
  }

  /** GROUP-COMMIT-6. */
  expire(): void {
    const { timeout } = this.request
    this.#end(
      this.isSent
        ? `no answer within ${Math.round(timeout)} ms`
        : 'too many commits wait',
    )
  }

  /** GROUP-COMMIT-6. */
  #end(why: string): void {
    this.settle({ kind: this.isSent ? 'unclear' : 'not-now', why })
  }

  #release(): void {
    this.#settle = undefined
    offAbort(this.request.signal, this.#abort)
    this.#onSettled(this)
  }

  readonly #abort = () => this.#end('no answer until the caller stopped waiting')
}
