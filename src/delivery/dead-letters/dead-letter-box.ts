// The dead letters of a namespace, as programs and people handle them.

import type { Position } from '../../model/version.js'
import {
  type DeadLetter,
  deadLetter,
  type DeadLetterFilter,
  type DeadLetterListOptions,
  type DeadLetterPlace,
  deadLetters,
  discard,
  redrive,
  type RedriveOptions,
} from './dead-letters.js'

export interface DeadLetterAllOptions extends DeadLetterFilter {
  /** No more than these, oldest first. Default: all that are there now. */
  readonly limit?: number
  /** Only counts them. Default false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
}

export interface DeadLetterBox {
  /** Yields them, oldest first. Throws `storage-failed` at one that cannot be read. */
  list(options?: DeadLetterListOptions): AsyncIterable<DeadLetter>
  /** Throws `unknown-dead-letter`. */
  get(
    position: Position,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DeadLetter>
  /**
   * Sends the message to its reactor again, and to no other, with all of its attempts before it.
   * Throws `unknown-dead-letter`, or what storing it does: then the dead letter is still there.
   */
  retry(position: Position, options?: RedriveOptions): Promise<void>
  /**
   * The same with all that a filter lets through, of those that are there now; resolves with
   * their number. Interrupted, it goes on where it was when it is called again.
   */
  retryAll(options?: DeadLetterAllOptions): Promise<number>
  /** Throws a dead letter away, for good. What is not there is nobody's error. */
  discard(position: Position): Promise<void>
  discardAll(options?: DeadLetterAllOptions): Promise<number>
}

/** Dead letters under way at a time. */
const batchSize = 64

export function deadLetterBox(place: DeadLetterPlace): DeadLetterBox {
  const { queues } = place
  const all = async (
    { limit = Infinity, dryRun = false, signal, ...filter }: DeadLetterAllOptions = {},
    work: (letters: readonly DeadLetter[]) => Promise<unknown>,
  ): Promise<number> => {
    const options = signal === undefined ? {} : { signal }
    // What dies again meanwhile stands behind it, and is not sent round and round.
    const end = await queues.dead.lastPosition(options)
    let count = 0
    let batch: DeadLetter[] = []
    const finish = async () => {
      if (!dryRun && batch.length > 0) await work(batch)
      batch = []
    }
    for await (const letter of deadLetters(queues, { ...filter, ...options })) {
      if (letter.position > end || count >= limit) break
      count++
      if (dryRun) continue
      batch.push(letter)
      if (batch.length >= batchSize) await finish()
    }
    await finish()
    return count
  }
  return {
    list: options => deadLetters(queues, options),
    get: (position, { signal } = {}) => deadLetter(queues, position, signal),
    async retry(position, options = {}) {
      await redrive(place, await deadLetter(queues, position, options.signal), options)
    },
    retryAll: (options = {}) => {
      const { signal } = options
      const bounds = signal === undefined ? {} : { signal }
      return all(options, async letters => {
        const work = letters.map(letter => redrive(place, letter, bounds))
        // Nothing is under way any more when a failure is told.
        await Promise.allSettled(work)
        await Promise.all(work)
      })
    },
    discard: position => discard(queues, [position]),
    discardAll: options =>
      all(options, letters =>
        discard(
          queues,
          letters.map(letter => letter.position),
        ),
      ),
  }
}
