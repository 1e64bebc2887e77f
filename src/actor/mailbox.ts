// A mailbox: what waits for one actor, and whose turn it is.
//
// M1. One letter at a time, in the order of arrival; the next begins when the one before it
//     has been dealt with. Its sender hears of that when nothing is left, only after the
//     mailbox is idle: who has its answer finds the actor at rest.
// M2. At most `limit` letters wait; one more is refused with `mailbox-full`, which is
//     retryable and names the actor and the limit.
// M3. A letter taken back while it waits is never run, and its place is free at once.
// M4. Who deals with a letter may take in those that wait behind it, in their order: their
//     senders hear when its sender does. What is put back has its turn before all that wait.
// M5. A set takes 230 bytes while it is empty, and most mailboxes of a node are: it is there from the
//     moment when something has to wait until nothing is left.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { CairnError } from '../model/errors.js'

/** What dealing with a letter came to. */
export type Settled =
  | { readonly ok: true; readonly outcome: unknown }
  | { readonly ok: false; readonly error: unknown }

/** What becomes of letters. */
export interface MailboxHandler<Letter> {
  /** Does what the letter asks for, and tells its sender nothing yet; may throw. */
  process(letter: Letter): Promise<unknown>
  /** Takes down what dealing with it came to. */
  processed(letter: Letter, came: Settled): void
  /** Tells the sender of a letter that was dealt with. */
  answer(letter: Letter): void
  /** Nothing is waiting or being dealt with any more. */
  idle(): void
}

export class Mailbox<Letter extends object> {
  readonly #actor: ActorAddress
  readonly #limit: number
  readonly #handler: MailboxHandler<Letter>
  /** M5. */
  #waiting: Set<Letter> = nothing
  /** What was put back (M4). */
  #requeued: Set<Letter> = nothing
  /** What was taken in with the letter that is being dealt with (M4). */
  #claimedItems: Letter[] = none
  /** The letter that is being dealt with. */
  #running: Letter | undefined

  constructor(actor: ActorAddress, limit: number, clerk: MailboxHandler<Letter>) {
    this.#actor = actor
    this.#limit = limit
    this.#handler = clerk
  }

  /** Letters that wait for their turn; the one being run is not among them. */
  get waiting(): number {
    return this.#waiting.size + this.#requeued.size
  }

  /** The letter whose turn is next. */
  get next(): Letter | undefined {
    if (this.waiting === 0) return undefined
    const [next] = this.#requeued.size > 0 ? this.#requeued : this.#waiting
    return next
  }

  /** All that have not been answered. */
  get items(): readonly Letter[] {
    const running = this.#running === undefined ? none : [this.#running]
    return [...running, ...this.#claimedItems, ...this.#requeued, ...this.#waiting]
  }

  /** M4. In the order in which they were taken in. */
  get claimed(): readonly Letter[] {
    return this.#claimedItems
  }

  /** M4. Takes in the next letter. */
  claim(): void {
    const { next } = this
    if (next === undefined) return
    this.withdraw(next)
    if (this.#claimedItems === none) this.#claimedItems = [next]
    else this.#claimedItems.push(next)
  }

  /** M4. All that was taken in waits again, unless its sender has given it up. */
  requeue(isWanted: (letter: Letter) => boolean): void {
    this.#requeued = new Set([...this.#claimedItems.filter(isWanted), ...this.#requeued])
    this.#claimedItems = none
  }

  /** True when nothing is waiting or being run. */
  get isIdle(): boolean {
    return this.#running === undefined
  }

  /** Adds a letter, or throws `mailbox-full` (M2). */
  post(letter: Letter): void {
    if (this.waiting >= this.#limit) throw mailboxFull(this.#actor, this.#limit)
    if (this.isIdle) return void this.#run(letter)
    if (this.#waiting === nothing) this.#waiting = new Set()
    this.#waiting.add(letter)
  }

  /** M3. Does nothing when the letter is not waiting any more. */
  withdraw(letter: Letter): void {
    if (this.#waiting.size > 0) this.#waiting.delete(letter)
    if (this.#requeued.size > 0) this.#requeued.delete(letter)
  }

  async #run(first: Letter): Promise<void> {
    // Sets keep the order of arrival (M1).
    for (let letter: Letter | undefined = first; letter; letter = this.next) {
      this.withdraw(letter)
      this.#running = letter
      let came: Settled
      try {
        came = { ok: true, outcome: await this.#handler.process(letter) }
      } catch (error) {
        came = { ok: false, error }
      }
      this.#handler.processed(letter, came)
      const others = this.#claimedItems
      this.#claimedItems = none
      const isLast = this.waiting === 0
      if (isLast) this.#rest()
      this.#handler.answer(letter)
      for (const other of others) this.#handler.answer(other)
      if (isLast) return
    }
    // What was left has been taken back.
    this.#rest()
  }

  #rest(): void {
    this.#running = undefined
    this.#waiting = nothing // M5
    this.#requeued = nothing
    this.#handler.idle()
  }
}

// Nothing is ever added to them.
const nothing: Set<never> = new Set()
const none: never[] = []

function mailboxFull(actor: ActorAddress, limit: number): CairnError {
  return new CairnError(
    'mailbox-full',
    `The mailbox of ${formatAddress(actor)} holds ${limit} waiting commands, its limit: send again ` +
      'later, send slower, or raise mailboxLimit of its actor type.',
    { details: { actor: formatAddress(actor), limit } },
  )
}
