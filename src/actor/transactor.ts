// The transactor: runs the work of transactions, and stores what the work decides.
//
// Owns the transactions that are open on this node and, for each actor that a work loaded first (the
// transaction's anchor), what is known of its last commands.
// TRANSACTION-1. The work decides on states that it has read. Its commits are stored only if all these
//                actors still have the versions that were read, which the store checks. Otherwise the
//                work runs again on the current states, at most `attempts` times.
// TRANSACTION-2. An outcome never mixes states from different times. If the work stores nothing, aborts or
//                throws, the store is asked whether a guarded actor has changed since it was read; if so,
//                the work runs again.
// TRANSACTION-3. A transaction whose id may have been used before is searched for in the history of its
//                anchor (TRANSACTION-7), up to the version that its commit will expect. If the
//                search does not find it and the commit is stored, it is the first (DUPLICATES-1).
// TRANSACTION-4. One search at a time reads an actor's history: its window takes commits in order.
// TRANSACTION-5. At most `openMax` transactions are open at a time; more fail with `queue-full`. Once
//                closing, none is accepted.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Clock } from '../model/clock.js'
import type { Causes } from '../model/commit.js'
import { Deadlines } from '../model/deadlines.js'
import { checkOptions, type OptionNames } from '../model/check-options.js'
import { CairnError, isCairnError, refusal } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { Semaphore } from '../model/semaphore.js'
import {
  type CommitTrace,
  commitTraces,
  trace,
  type TransactionTrace,
  transactionTraces,
} from '../model/trace.js'
import { newId } from '../model/id.js'
import { show } from '../model/show.js'
import { checkCount, type Position } from '../model/version.js'
import { pause } from '../model/wait.js'
import type {
  AppendAllOptions,
  AppendAllResult,
  AppendPart,
  EventStore,
} from '../store/event-store/event-store.js'
import { Call, CallPorts } from './call.js'
import { causesOf } from './causes.js'
import type { AnyActorDefinition } from './definition.js'
import { detach } from './detach.js'
import type { FoldContext } from './fold.js'
import type { DirectiveState } from './directives.js'
import type { CommandMiddleware } from './guarded-command.js'
import { Middleware } from './middleware.js'
import { recover } from './recovery.js'
import { DuplicateDetector, type DuplicateSearch } from './duplicate-detector.js'
import { UnstorableTypes } from './unstorable-types.js'
import {
  abortReasonOf,
  type StoredPart,
  type TransactionCommitted,
  type Transaction,
  type TransactOptions,
  type TransactionAborted,
} from './transaction.js'
import {
  TransactionAttempt,
  commandIdOf,
  type FirstReading,
} from './transaction-attempt.js'
import type { SnapshotSource } from './snapshot-source.js'
import type { NodeVersions } from './version-guard.js'

const optionNames: OptionNames<TransactOptions> = {
  id: true,
  attempts: true,
  signal: true,
  timeout: true,
  visibleIn: true,
  correlationId: true,
  causationId: true,
  traceparent: true,
  principal: true,
}

export interface TransactorOptions {
  readonly store: Pick<EventStore, 'namespace' | 'head' | 'commits' | 'appendAll'>
  readonly nodeId: string
  readonly clock: Clock
  readonly log: WriteLog
  /** Throws if the definition is not the one that this node knows for its type. */
  checkDefinition(definition: AnyActorDefinition): void
  /** Returns the directives in force for an actor. */
  directives(actor: ActorAddress, signal: AbortSignal): Promise<DirectiveState>
  /** Runs before each command that a work decides. Default: none. */
  readonly middleware?: readonly CommandMiddleware[]
  /** The behavior versions of the nodes. Default: commands are not routed. */
  versions?(): NodeVersions | undefined
  /** Snapshots of large states. Default: none. */
  readonly snapshots?: SnapshotSource | undefined
  /** Called for each stored commit: a resident of that actor is now at an older version. */
  onStored(part: StoredPart): void
}

export interface TransactionStats {
  /** Transactions open now. */
  readonly open: number
  /** Since the start: transactions that stored commits. */
  readonly stored: number
  /** Attempts after the first, made because an actor had changed. */
  readonly retries: number
  /** Transactions that were committed before, and returned their first value again. */
  readonly duplicates: number
}

export type Work = (tx: Transaction) => unknown
export type Outcome = TransactionCommitted | TransactionAborted

interface RunReports {
  readonly onAnchored: (isAnchored: boolean) => void
  readonly onStored: (position: Position) => void
}

/** What is known of the last commands of an actor that a work loaded first. */
interface Anchor {
  readonly duplicates: DuplicateDetector
  /** The last search (TRANSACTION-4). */
  last: Promise<unknown>
}

const openMax = 1_000
const readsMax = 64
const anchorsMax = 1_000
const idBytesMax = 250
const attemptsDefault = 10

export class Transactor {
  readonly #options: TransactorOptions
  readonly #gate = new Semaphore(readsMax)
  readonly #ports = new CallPorts(new Deadlines())
  readonly #anchors = new Map<string, Anchor>()
  readonly #open = new Set<Call<Outcome>>()
  readonly #unstorable: UnstorableTypes
  readonly #middleware: Middleware
  #stored = 0
  #retries = 0
  #duplicates = 0
  #isClosing = false

  constructor(options: TransactorOptions) {
    this.#options = options
    this.#unstorable = new UnstorableTypes(options.log)
    this.#middleware = new Middleware(options.middleware ?? [], options.log)
  }

  /**
   * Runs a transaction.
   * @param onStored gets the position of its last commit; of one that was committed before, that of its first
   */
  transact(
    work: Work,
    options: TransactOptions,
    onStored: (position: Position) => void,
  ): Promise<Outcome> {
    return this.#start(work, options, onStored)
  }

  stats(): TransactionStats {
    const { size: open } = this.#open
    const [stored, retries, duplicates] = [this.#stored, this.#retries, this.#duplicates]
    return { open, stored, retries, duplicates }
  }

  /** TRANSACTION-5. Accepts no more, and waits at most `timeout` ms for the open transactions to end. */
  async close(timeout: number): Promise<void> {
    this.#isClosing = true
    const allEnded = new AbortController()
    const ended = Promise.allSettled([...this.#open].map(({ promise }) => promise))
    void ended.then(() => allEnded.abort())
    await pause(timeout, allEnded.signal)
    for (const call of this.#open) call.giveUp(nodeClosed())
    await ended
  }

  async #start(
    work: Work,
    options: TransactOptions,
    onStored: (position: Position) => void,
  ): Promise<Outcome> {
    // First, and cheaply: under load this is what happens most.
    if (this.#isClosing) throw nodeClosed()
    if (this.#open.size >= openMax) throw tooManyOpen()
    checkOptions('transact', options, optionNames)
    if (typeof work !== 'function')
      throw new CairnError(
        'invalid-option',
        `transact got ${show(work)}: pass a function that takes tx.`,
      )
    const { id = newId(), attempts = attemptsDefault } = options
    checkId(id)
    if (checkCount('attempts', attempts) === 0)
      throw new CairnError('invalid-option', 'attempts is 0: use a whole number from 1.')
    let isRepeatable = options.id !== undefined
    const explainError = (error: unknown) => withTransactionId(error, id, isRepeatable)
    const subject = {
      kind: 'transaction',
      describe: () => `transaction ${show(id)}`,
      explainError,
    }
    const call = new Call<Outcome>(subject, 0, options, this.#ports)
    this.#open.add(call)
    call.onEnded(() => this.#open.delete(call))
    const onAnchored = (isAnchored: boolean) => (isRepeatable = isAnchored)
    const reports = { onAnchored, onStored }
    const run = transactionTraces.hasSubscribers
      ? this.#runTraced(call, work, id, attempts, options, reports)
      : this.#run(call, work, id, attempts, options, reports)
    run.then(
      outcome => call.resolve(outcome),
      (error: unknown) => call.fail(error),
    )
    return call.promise
  }

  #runTraced(
    call: Call<Outcome>,
    work: Work,
    id: string,
    attempts: number,
    options: TransactOptions,
    reports: RunReports,
  ): Promise<Outcome> {
    const { store, nodeId } = this.#options
    const context: TransactionTrace = {
      namespace: store.namespace,
      nodeId,
      transactionId: id,
      traceparent: options.traceparent,
    }
    return trace(transactionTraces, context, traceparent =>
      this.#run(
        call,
        work,
        id,
        attempts,
        { ...options, ...(traceparent !== undefined && { traceparent }) },
        reports,
      ),
    )
  }

  /** TRANSACTION-1. */
  async #run(
    call: Call<Outcome>,
    work: Work,
    id: string,
    attempts: number,
    options: TransactOptions,
    { onAnchored, onStored }: RunReports,
  ): Promise<Outcome> {
    const { store, nodeId, clock, log, checkDefinition, directives } = this.#options
    const causes = causesOf(options)
    const isNew = options.id === undefined
    let search: DuplicateSearch | undefined
    for (let i = 1; i <= attempts; i++) {
      if (i > 1) {
        this.#retries++
        await pause(Math.random() * Math.min(2 ** i, 100), call.signal)
        call.check()
      }
      const now = clock.now()
      const attempt = new TransactionAttempt(id, {
        store,
        nodeId,
        namespace: store.namespace,
        middleware: this.#middleware,
        call,
        causes,
        now,
        read: (read, doing) => this.#gate.run(read, call.signal, doing),
        readFirst: async (folding, definition) => {
          const known = isNew && search === undefined
          if (known) return { folded: await this.#read(folding, call), found: 'none' }
          return this.#search(folding, definition, call, now, duplicates => {
            const begun = duplicates.startSearch(commandIdOf(id, 1), false)
            return (search ??= begun)
          })
        },
        checkDefinition,
        directives,
        snapshots: this.#options.snapshots,
        versions: () => this.#options.versions?.(),
        onMalformed: ({ position, source, reason }) =>
          log('warn', 'A transaction skipped a record that is not a readable commit', {
            position,
            source,
            reason,
          }),
        onUnstorable: (type, error) => this.#unstorable.report(type, error),
      })
      const done = await runWork(work, attempt)
      attempt.end()
      call.check()
      const { found } = attempt
      if (found === 'lagging') continue
      if (found !== 'none') {
        this.#duplicates++
        onStored(found.position)
        return { ok: true, transactionId: id, value: found.reply, duplicate: true }
      }
      if ('error' in done) {
        // If staleness cannot be checked, the work's own error says more than the error of the check.
        const isStale = await attempt.isStale().catch(() => false)
        call.check()
        if (isStale) continue
        throw done.error
      }
      attempt.checkAwaited()
      const aborted = abortReasonOf(done.value)
      const value =
        aborted === undefined ? detach(done.value, 'result of a transaction') : undefined
      const isWriting =
        aborted === undefined && attempt.parts(undefined, false).length > 0
      if (!isWriting) {
        const isStale = await attempt.isStale() // TRANSACTION-2
        call.check()
        if (isStale) continue
        return aborted === undefined
          ? { ok: true, transactionId: id, value, duplicate: false }
          : { ok: false, transactionId: id, reason: aborted.reason }
      }
      if (!isNew && attempt.anchor === undefined) throw unanchored(id, attempt.firstName)
      onAnchored(attempt.anchor !== undefined)

      const result = await this.#store(call, attempt, value, { ...causes, at: now })
      if (result.ok) {
        this.#stored++
        for (const part of result.appended) this.#options.onStored(part)
        onStored(Math.max(...result.appended.map(({ position }) => position)))
        attempt.runAfterCommit(log)
        return { ok: true, transactionId: id, value, duplicate: false }
      }
      const { anchor } = attempt
      const conflict = result.conflicts.find(
        ({ actor }) => formatAddress(actor) === attempt.firstName,
      )
      if (anchor !== undefined && conflict !== undefined) {
        const { duplicates } = this.#anchorOf(anchor.folding, anchor.definition)
        const before = search ?? duplicates.startSearch(anchor.commandId, true)
        search = duplicates.continueSearch(before, anchor.read.version, conflict.actual)
      }
    }
    throw new CairnError(
      'contention',
      `Transaction ${show(id)} lost to another writer ${attempts} times; nothing was stored. Try again ` +
        'later, with fewer actors or with more attempts.',
      { details: { attempts } },
    )
  }

  async #store(
    call: Call<Outcome>,
    attempt: TransactionAttempt,
    value: unknown,
    options: Causes & { readonly at: number },
  ): Promise<AppendAllResult> {
    const guards = attempt.guards()
    call.beginStoring()
    const append = (withStates: boolean) =>
      this.#append(attempt.parts(value, withStates), {
        ...options,
        guards,
        transactionId: attempt.id,
        signal: call.signal,
        timeout: call.timeLeft,
      })
    try {
      try {
        return await append(true)
      } catch (error) {
        // Inline states only save reads: a transaction must not fail because they make a commit too large.
        if (!isCairnError(error, 'commit-too-large')) throw error
        return await append(false)
      }
    } catch (error) {
      // Nothing was written: the reason for which the call was given up says more.
      if (isCairnError(error, 'aborted')) call.check()
      throw error
    } finally {
      call.endStoring()
    }
  }

  #append(
    parts: readonly AppendPart[],
    options: AppendAllOptions,
  ): Promise<AppendAllResult> {
    const { store, nodeId } = this.#options
    if (!commitTraces.hasSubscribers) return store.appendAll(parts, options)
    const context: CommitTrace = {
      namespace: store.namespace,
      nodeId,
      actors: parts.map(({ actor }) => actor),
      events: parts.reduce((sum, { events }) => sum + events.length, 0),
      transactionId: options.transactionId,
      traceparent: options.traceparent,
    }
    return trace(commitTraces, context, () => store.appendAll(parts, options))
  }

  #read(folding: FoldContext, { signal }: Call<Outcome>) {
    const doing = `reading ${formatAddress(folding.actor)}`
    const read = () => recover(this.#options.store, folding, signal)
    return this.#gate.run(read, signal, doing)
  }

  /** TRANSACTION-3 and TRANSACTION-4: reads the anchor, and searches for the transaction among its last commands. */
  #search(
    folding: FoldContext,
    definition: AnyActorDefinition,
    call: Call<Outcome>,
    now: number,
    searchOf: (duplicates: DuplicateDetector) => DuplicateSearch,
  ): Promise<FirstReading> {
    const anchor = this.#anchorOf(folding, definition)
    const { duplicates } = anchor
    const find = async (): Promise<FirstReading> => {
      call.check()
      const search = searchOf(duplicates)
      const onHead: FoldContext['onHead'] = head => {
        folding.onHead?.(head)
        duplicates.onHead(head, now)
      }
      const folded = await this.#read({ ...folding, onHead }, call)
      const found = await duplicates.find(search, folded, now, call)
      return { folded, found }
    }
    const searching = anchor.last.then(find)
    anchor.last = searching.catch(() => {}) // Its call gets the failure.
    return searching
  }

  #anchorOf({ actor }: FoldContext, { options }: AnyActorDefinition): Anchor {
    const name = formatAddress(actor)
    const known = this.#anchors.get(name)
    this.#anchors.delete(name)
    const { store } = this.#options
    const anchor = known ?? {
      duplicates: new DuplicateDetector(
        actor,
        {
          store,
          withWakeSlot: (work, signal, doing) => this.#gate.run(work, signal, doing),
        },
        options.commandWindow,
      ),
      last: Promise.resolve(),
    }
    this.#anchors.set(name, anchor)
    // The least recently used anchor is dropped; using it again reads its last commits again.
    if (this.#anchors.size > anchorsMax)
      for (const [oldest] of this.#anchors) {
        this.#anchors.delete(oldest)
        break
      }
    return anchor
  }
}

async function runWork(
  work: Work,
  attempt: TransactionAttempt,
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  try {
    return { value: await work(attempt.transaction) }
  } catch (error) {
    return { error }
  }
}

function checkId(id: unknown): void {
  const isText = typeof id === 'string' && id !== '' && id.isWellFormed()
  if (isText && Buffer.byteLength(id) <= idBytesMax) return
  throw new CairnError(
    'invalid-option',
    `${show(id)} is not a transaction id: use 1 to ${idBytesMax} bytes of well-formed text.`,
  )
}

/** The error with the transaction's id, and with a hint to repeat the transaction if that is safe. */
function withTransactionId(error: unknown, id: string, isRepeatable: boolean): unknown {
  if (!isCairnError(error)) return error
  const { code, message, cause, details, stack } = error
  const canRepeat = code === 'outcome-unknown' && isRepeatable
  const hint = ` Or transact again with id ${show(id)}, which takes effect once.`
  const result = new CairnError(code, canRepeat ? message + hint : message, {
    cause,
    details: { ...details, transactionId: id },
  })
  // The origin of an error is more useful than the line that passes it on.
  if (!canRepeat && stack !== undefined) result.stack = stack
  return result
}

function unanchored(id: string, first: string | undefined): CairnError {
  return new CairnError(
    'invalid-option',
    `Transaction ${show(id)} was given an id, but its work only reads ${first ?? 'nothing'}, which it loads ` +
      'first: a duplicate is recognised in the history of the first actor, so load first an actor that ' +
      'the work writes to. Nothing was stored.',
    { details: { actor: first } },
  )
}

function nodeClosed(): CairnError {
  return new CairnError(
    'node-closed',
    'This node is closing and accepts no more transactions: use another node.',
  )
}

function tooManyOpen(): CairnError {
  return refusal(
    'queue-full',
    `This node has ${openMax} open transactions, its limit: start fewer at the same time.`,
    { limit: openMax },
  )
}
