// Commands and transactions whose caller wants to read what they have changed: the answer comes when projections include
// it.

import { checkTimeout } from '../actor/call.js'
import type { Transact, TransactOptions } from '../actor/transaction.js'
import type { Outcome, Work } from '../actor/transactor.js'
import type { ActorAddress } from '../model/address.js'
import { formatAddress } from '../model/address.js'
import type {
  AskOutcome,
  CommandSender,
  RedeliveryOptions,
} from '../model/command-sender.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Position } from '../model/version.js'
import { isProjection, type Projection } from '../projection/define-projection.js'
import type { ProjectionReader } from '../projection/reader.js'
import type { EventStore } from '../store/event-store/event-store.js'

const timeoutDefault = 10_000

/** The sender, with the option `visibleIn`. */
export function visibleSender(
  sender: CommandSender,
  readerOf: (projection: Projection) => ProjectionReader<unknown>,
): CommandSender {
  async function askVisibly(
    actor: ActorAddress,
    command: string,
    data: unknown,
    { visibleIn = [], ...options }: RedeliveryOptions,
  ): Promise<AskOutcome> {
    const { timeout = timeoutDefault, signal } = options
    checkTimeout(timeout)
    const readers = projectionsIn(visibleIn).map(readerOf)
    const deadline = performance.now() + timeout
    const outcome = await sender.ask(actor, command, data, options)
    if (!outcome.ok) return outcome
    const { position, version, commandId } = outcome
    try {
      const left = Math.max(1, Math.ceil(deadline - performance.now()))
      await Promise.all(
        readers.map(reader => reader.waitFor(position, { timeout: left, signal })),
      )
      return outcome
    } catch (cause) {
      if (!isCairnError(cause)) throw cause
      throw new CairnError(
        cause.code,
        `Command ${show(command)} to ${formatAddress(actor)} was carried out, at version ${version} and position ` +
          `${position}, and is not visible yet: ${cause.message} Sent again with the same commandId, it gets this ` +
          'answer once it is.',
        { cause, details: { ...cause.details, commandId, version, position } },
      )
    }
  }

  return {
    tell: sender.tell.bind(sender),
    ask: (actor, command, data, options) =>
      options?.visibleIn === undefined
        ? sender.ask(actor, command, data, options)
        : askVisibly(actor, command, data, options),
  }
}

interface TransactionPorts {
  readonly store: Pick<EventStore, 'readAll'>
  readonly readerOf: (projection: Projection) => ProjectionReader<unknown>
  transact(
    work: Work,
    options: TransactOptions,
    onStored: (position: Position) => void,
  ): Promise<Outcome>
}

/** Transactions with the option `visibleIn`. */
export function visibleTransact({
  store,
  readerOf,
  transact,
}: TransactionPorts): Transact {
  async function transactVisibly(
    work: Work,
    { visibleIn = [], ...options }: TransactOptions,
  ): Promise<Outcome> {
    const { timeout = timeoutDefault, signal } = options
    checkTimeout(timeout)
    const readers = projectionsIn(visibleIn).map(readerOf)
    const deadline = performance.now() + timeout
    let position = 0
    const outcome = await transact(work, options, at => (position = at))
    if (!outcome.ok || position === 0) return outcome
    const { transactionId } = outcome
    try {
      if (outcome.duplicate)
        position = await lastOf(store, transactionId, position, signal)
      const left = Math.max(1, deadline - performance.now())
      await Promise.all(
        readers.map(reader => reader.waitFor(position, { timeout: left, signal })),
      )
      return outcome
    } catch (cause) {
      if (!isCairnError(cause)) throw cause
      throw new CairnError(
        cause.code,
        `Transaction ${show(transactionId)} is stored, at position ${position}, and is not visible yet: ${cause.message} ` +
          'Sent again with the same id, it gets this outcome once it is.',
        { cause, details: { ...cause.details, transactionId, position } },
      )
    }
  }

  // The implementation is the same for all results; only their types differ.
  return ((work: Work, options: TransactOptions = {}) =>
    (options as TransactOptions | null)?.visibleIn === undefined
      ? transact(work, options, () => {})
      : transactVisibly(work, options)) as Transact
}

/** The position of a transaction's last commit: its commits follow each other. */
async function lastOf(
  store: TransactionPorts['store'],
  transactionId: string,
  first: Position,
  signal: AbortSignal | undefined,
): Promise<Position> {
  let last = first
  const reading = { after: first, ...(signal !== undefined && { signal }) }
  for await (const record of store.readAll(reading)) {
    if (record.kind !== 'commit' || record.transactionId !== transactionId) break
    last = record.position
  }
  return last
}

/** Throws `invalid-option` for a value that is not a projection. */
function projectionsIn(visibleIn: unknown): readonly Projection[] {
  const list: readonly unknown[] = Array.isArray(visibleIn) ? visibleIn : [visibleIn]
  return list.map(one => {
    if (isProjection(one)) return one
    throw new CairnError(
      'invalid-option',
      `visibleIn has ${show(one)}: pass projections, as defineProjection returns them.`,
    )
  })
}
