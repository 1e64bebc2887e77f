// A mailbox: the queue of one actor. It processes one item at a time.
//
// MAILBOX-1. Items are processed one at a time, in the order of arrival. An item is answered when it
//     has been processed; the last one only after the mailbox is idle, so that a caller with its
//     answer finds the actor idle.
// MAILBOX-2. At most `limit` items wait. One more is refused with `mailbox-full`, which is retryable
//     and names the actor and the limit.
// MAILBOX-3. An item that is withdrawn while it waits is never processed, and frees its slot at once.
// MAILBOX-4. The processing of an item may claim the items that wait after it, in their order. They
//     are answered together with it. Requeued items come before all that wait.
// MAILBOX-5. An empty set takes 230 bytes, and most mailboxes of a node are empty. So a set is
//     created when an item has to wait, and dropped when the mailbox is idle.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { type CairnError, refusal } from '../model/errors.js'

/** The result of processing an item. */
export type ProcessingResult =
  | { readonly ok: true; readonly outcome: unknown }
  | { readonly ok: false; readonly error: unknown }

/** Processes and answers the items of a mailbox. */
export interface MailboxHandler<Item> {
  /** Does the work of an item, without answering it; may throw. */
  process(item: Item): Promise<unknown>
  /** Records the result of processing an item. */
  recordResult(item: Item, result: ProcessingResult): void
  /** Answers the caller of an item that was processed. */
  answer(item: Item): void
  /** No item is waiting or being processed any more. */
  onIdle(): void
}

export class Mailbox<Item extends object> {
  readonly #actor: ActorAddress
  readonly #limit: number
  readonly #handler: MailboxHandler<Item>
  /** MAILBOX-5. */
  #waiting: Set<Item> = emptySet
  /** Requeued items (MAILBOX-4). */
  #requeued: Set<Item> = emptySet
  /** The items claimed by the one that is being processed (MAILBOX-4). */
  #claimedItems: Item[] = emptyArray
  /** The item that is being processed. */
  #running: Item | undefined

  constructor(actor: ActorAddress, limit: number, handler: MailboxHandler<Item>) {
    this.#actor = actor
    this.#limit = limit
    this.#handler = handler
  }

  /** How many items wait, without the one that is being processed. */
  get waiting(): number {
    return this.#waiting.size + this.#requeued.size
  }

  /** The item that is processed next. */
  get next(): Item | undefined {
    if (this.waiting === 0) return undefined
    const [next] = this.#requeued.size > 0 ? this.#requeued : this.#waiting
    return next
  }

  /** All items that have not been answered. */
  get items(): readonly Item[] {
    const running = this.#running === undefined ? emptyArray : [this.#running]
    return [...running, ...this.#claimedItems, ...this.#requeued, ...this.#waiting]
  }

  /** MAILBOX-4. In the order in which they were claimed. */
  get claimed(): readonly Item[] {
    return this.#claimedItems
  }

  /** MAILBOX-4. Claims the next item. */
  claim(): void {
    const { next } = this
    if (next === undefined) return
    this.withdraw(next)
    if (this.#claimedItems === emptyArray) this.#claimedItems = [next]
    else this.#claimedItems.push(next)
  }

  /** MAILBOX-4. Puts the claimed items that are still awaited back at the front. */
  requeue(isAwaited: (item: Item) => boolean): void {
    this.#requeued = new Set([...this.#claimedItems.filter(isAwaited), ...this.#requeued])
    this.#claimedItems = emptyArray
  }

  /** True when no item is waiting or being processed. */
  get isIdle(): boolean {
    return this.#running === undefined
  }

  /** Throws `mailbox-full` if no item is accepted now (MAILBOX-2). @param max another limit */
  check(max = this.#limit): void {
    const limit = Math.min(max, this.#limit)
    if (this.waiting >= limit) throw mailboxFull(this.#actor, limit)
  }

  /** Adds an item, or throws `mailbox-full` (MAILBOX-2). */
  post(item: Item): void {
    this.check()
    if (this.isIdle) return void this.#run(item)
    if (this.#waiting === emptySet) this.#waiting = new Set()
    this.#waiting.add(item)
  }

  /** MAILBOX-3. Does nothing when the item is not waiting any more. */
  withdraw(item: Item): void {
    if (this.#waiting.size > 0) this.#waiting.delete(item)
    if (this.#requeued.size > 0) this.#requeued.delete(item)
  }

  async #run(first: Item): Promise<void> {
    // A set keeps the order of insertion (MAILBOX-1).
    for (let item: Item | undefined = first; item; item = this.next) {
      this.withdraw(item)
      this.#running = item
      let result: ProcessingResult
      try {
        result = { ok: true, outcome: await this.#handler.process(item) }
      } catch (error) {
        result = { ok: false, error }
      }
      this.#handler.recordResult(item, result)
      const claimed = this.#claimedItems
      this.#claimedItems = emptyArray
      const isLast = this.waiting === 0
      if (isLast) this.#becomeIdle()
      this.#handler.answer(item)
      for (const other of claimed) this.#handler.answer(other)
      if (isLast) return
    }
    // The items that waited were withdrawn.
    this.#becomeIdle()
  }

  #becomeIdle(): void {
    this.#running = undefined
    this.#waiting = emptySet // MAILBOX-5
    this.#requeued = emptySet
    this.#handler.onIdle()
  }
}

// Shared by all mailboxes; nothing is ever added to them.
const emptySet: Set<never> = new Set()
const emptyArray: never[] = []

function mailboxFull(actor: ActorAddress, limit: number): CairnError {
  return refusal(
    'mailbox-full',
    `The mailbox of ${formatAddress(actor)} is full: ${limit} commands wait. Send again later, send ` +
      'slower, or raise mailboxLimit of its actor type.',
    { actor: formatAddress(actor), limit },
  )
}
