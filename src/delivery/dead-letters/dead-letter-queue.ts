// The dead-letter queue of a namespace, as applications and the command line use it.

import { checkOptions, type OptionNames } from '../../model/check-options.js'
import { defined } from '../../model/defined.js'
import type { Position } from '../../model/version.js'
import {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterListOptions,
  readDeadLetter,
  readDeadLetters,
  unreadableReason,
} from './dead-letters.js'
import {
  type DeadLetterPorts,
  redriveDeadLetter,
  type RedriveOptions,
} from './redrive.js'

export interface DeadLetterBulkOptions extends DeadLetterFilter {
  /** At most this many, oldest first. Default: all that exist now. */
  readonly limit?: number | undefined
  /** Only counts them. Default false. */
  readonly dryRun?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface DeadLetterQueue {
  /** Yields dead letters, oldest first. One that cannot be read is among them, with the reason `unreadable`. */
  list(options?: DeadLetterListOptions): AsyncIterable<DeadLetter>
  /** Throws `unknown-dead-letter`. */
  get(
    position: Position,
    options?: { readonly signal?: AbortSignal },
  ): Promise<DeadLetter>
  /**
   * Sends the message to its reactor again, and to no other, with all its attempts available again.
   * Throws `unknown-dead-letter`, or the error of storing it: the dead letter is kept then.
   */
  retry(position: Position, options?: RedriveOptions): Promise<void>
  /**
   * Retries all dead letters that match a filter and exist now; resolves with their number. Those that cannot be read
   * are left. After an interruption, another call continues with the rest.
   */
  retryAll(options?: DeadLetterBulkOptions): Promise<number>
  /** Removes a dead letter for good. Discarding a missing one is a no-op. */
  discard(position: Position): Promise<void>
  discardAll(options?: DeadLetterBulkOptions): Promise<number>
}

const filterNames: OptionNames<DeadLetterFilter> = {
  reactor: true,
  topic: true,
  reason: true,
  error: true,
  before: true,
  since: true,
}
const listNames: OptionNames<DeadLetterListOptions> = {
  ...filterNames,
  after: true,
  signal: true,
}
const bulkNames: OptionNames<DeadLetterBulkOptions> = {
  ...filterNames,
  limit: true,
  dryRun: true,
  signal: true,
}

/** Dead letters that are processed at a time. */
const batchSize = 64

export function deadLetterQueue(ports: DeadLetterPorts): DeadLetterQueue {
  const { queues } = ports
  const forEachBatch = async (
    { limit = Infinity, dryRun = false, signal, ...filter }: DeadLetterBulkOptions,
    process: (letters: readonly DeadLetter[]) => Promise<unknown>,
    isWanted: (letter: DeadLetter) => boolean = () => true,
  ): Promise<number> => {
    const bounds = defined({ signal })
    // A message that is given up again meanwhile comes after this position, and is not sent in a loop.
    const end = await queues.dead.lastPosition(bounds)
    let count = 0
    let batch: DeadLetter[] = []
    const flush = async () => {
      if (!dryRun && batch.length > 0) await process(batch)
      batch = []
    }
    for await (const letter of readDeadLetters(queues, { ...filter, ...bounds })) {
      if (letter.position > end || count >= limit) break
      if (!isWanted(letter)) continue
      count++
      if (dryRun) continue
      batch.push(letter)
      if (batch.length >= batchSize) await flush()
    }
    await flush()
    return count
  }
  return {
    list(options = {}) {
      checkOptions('list of dead letters', options, listNames)
      return readDeadLetters(queues, options)
    },
    get: (position, { signal } = {}) => readDeadLetter(queues, position, signal),
    async retry(position, options = {}) {
      const letter = await readDeadLetter(queues, position, options.signal)
      await redriveDeadLetter(ports, letter, options)
    },
    // A misspelt filter would match all of them.
    async retryAll(options = {}) {
      checkOptions('retryAll of dead letters', options, bulkNames)
      const bounds = defined({ signal: options.signal })
      return forEachBatch(
        options,
        async letters => {
          const redrives = letters.map(letter => redriveDeadLetter(ports, letter, bounds))
          // A failure is reported only when no redrive is in progress any more.
          await Promise.allSettled(redrives)
          await Promise.all(redrives)
        },
        ({ reason }) => reason !== unreadableReason,
      )
    },
    discard: position => queues.dead.remove([position]),
    async discardAll(options = {}) {
      checkOptions('discardAll of dead letters', options, bulkNames)
      return forEachBatch(options, letters =>
        queues.dead.remove(letters.map(letter => letter.position)),
      )
    },
  }
}
