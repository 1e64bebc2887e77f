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
    const included = inclusionIn(visibleIn, readerOf, options)
    const outcome = await sender.ask(actor, command, data, options)
    if (!outcome.ok) return outcome
    const { position, version, commandId } = outcome
    try {
      await included(position)
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
    const included = inclusionIn(visibleIn, readerOf, options)
    let position = 0
    const outcome = await transact(work, options, at => (position = at))
    if (!outcome.ok || position === 0) return outcome
    const { transactionId } = outcome
    try {
      if (outcome.duplicate)
        position = await lastOf(store, transactionId, position, options.signal)
      await included(position)
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

/**
 * A wait for projections to include a position, within the time that the call has from now on. Throws `invalid-option` for a
 * value that is not a projection.
 */
function inclusionIn(
  visibleIn: unknown,
  readerOf: (projection: Projection) => ProjectionReader<unknown>,
  {
    timeout = timeoutDefault,
    signal,
  }: { readonly timeout?: number | undefined; readonly signal?: AbortSignal | undefined },
): (position: Position) => Promise<void> {
  checkTimeout(timeout)
  const readers = projectionsIn(visibleIn).map(readerOf)
  const deadline = performance.now() + timeout
  return async position => {
    const left = Math.max(1, Math.ceil(deadline - performance.now()))
    const waits = readers.map(one => one.waitFor(position, { timeout: left, signal }))
    await Promise.all(waits)
  }
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
