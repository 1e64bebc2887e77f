// A mailbox: what waits for one actor, and whose turn it is.
//
// M1. One letter at a time, in the order of arrival; the next begins when the one before it
//     has been dealt with. Its sender hears of that when nothing is left, only after the
//     mailbox is idle: who has its answer finds the actor at rest.
// M2. At most `limit` letters wait; one more is refused with `mailbox-full`, which is
//     retryable and names the actor and the limit.
// M3. A letter taken back while it waits is never run, and its place is free at once.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'

/** What becomes of letters. */
export interface Clerk<Letter> {
  /** Does what the letter asks for; never rejects, and tells its sender nothing yet. */
  deal(letter: Letter): Promise<void>
  /** Tells the sender of a letter that was dealt with. */
  answer(letter: Letter): void
  /** Nothing is waiting or being dealt with any more. */
  idle(): void
}

export class Mailbox<Letter extends object> {
  readonly #actor: ActorAddress
  readonly #limit: number
  readonly #clerk: Clerk<Letter>
  readonly #waiting = new Set<Letter>()
  #isRunning = false

  constructor(actor: ActorAddress, limit: number, clerk: Clerk<Letter>) {
    this.#actor = actor
    this.#limit = limit
    this.#clerk = clerk
  }

  /** Letters that wait for their turn; the one being run is not among them. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** True when nothing is waiting or being run. */
  get isIdle(): boolean {
    return !this.#isRunning
  }

  /** Adds a letter, or throws `mailbox-full` (M2). */
  post(letter: Letter): void {
    if (this.#waiting.size >= this.#limit) throw mailboxFull(this.#actor, this.#limit)
    this.#waiting.add(letter)
    if (!this.#isRunning) void this.#run()
  }

  /** M3. Does nothing when the letter is not waiting any more. */
  takeBack(letter: Letter): void {
    this.#waiting.delete(letter)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    // A set is walked in the order of arrival, also over what arrives on the way (M1).
    for (const letter of this.#waiting) {
      this.#waiting.delete(letter)
      await this.#clerk.deal(letter)
      if (this.#waiting.size > 0) this.#clerk.answer(letter)
      else {
        this.#isRunning = false
        this.#clerk.idle()
        return this.#clerk.answer(letter)
      }
    }
    // What was left has been taken back.
    this.#isRunning = false
    this.#clerk.idle()
  }
}

function mailboxFull(actor: ActorAddress, limit: number): CairnError {
  return new CairnError(
    'mailbox-full',
    `The mailbox of ${formatAddress(actor)} holds ${limit} waiting commands, its limit: send again ` +
      'later, send slower, or raise mailboxLimit of its actor type.',
    { details: { actor: formatAddress(actor), limit } },
  )
}
