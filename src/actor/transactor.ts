// The transactor: does the work of transactions, and stores what they decide.
//
// Owns the transactions that are open on this node, and, for the actors that such works met first,
// what is known of their last commands.
// T1. A work decides on states that it has read, and its commits are stored only if all of these
//     actors are still where they were (the store judges). Else it is done again, on what is
//     there now: at most `attempts` times.
// T2. No outcome rests on states of different moments: a work that stores nothing, aborts or
//     throws is believed only when none of the actors it read has moved meanwhile.
// T3. A transaction whose id may have been used before is looked for in the history of the first
//     actor it meets (attempt B2), up to the very version that its commit will expect: who does
//     not find it there and stores is the first (repeats D1).
// T4. One search at a time looks through an actor's history: its window takes commits in order.
// T5. At most `openMax` are open at a time: `queue-full` beyond. Once closing, none is taken in.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { Clock } from '../model/clock.js'
import { Deadlines } from '../model/deadlines.js'
import { CairnError, isCairnError } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import { Semaphore } from '../model/semaphore.js'
import { newId } from '../model/id.js'
import { show } from '../model/show.js'
import { checkCount } from '../model/version.js'
import { pause } from '../model/wait.js'
import type { AppendAllResult, EventStore } from '../store/event-store/event-store.js'
import { Call, CallPorts } from './call.js'
import { causesOf } from './causes.js'
import type { AnyActorDefinition } from './definition.js'
import { detach } from './detach.js'
import type { FoldContext } from './fold.js'
import type { DirectiveState } from './directives.js'
import { recover } from './recovery.js'
import { DuplicateDetector, type DuplicateSearch } from './duplicate-detector.js'
import {
  abortReasonOf,
  type StoredPart,
  type Transact,
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

export interface TransactorOptions {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'appendAll'>
  readonly nodeId: string
  readonly clock: Clock
  readonly log: WriteLog
  /** Throws for a definition that this node knows otherwise. */
  checkDefinition(definition: AnyActorDefinition): void
  /** What operators have said about an actor. */
  directives(actor: ActorAddress, signal: AbortSignal): Promise<DirectiveState>
  /** Hears of every commit: residents are behind now. */
  onStored(part: StoredPart): void
}

export interface TransactionStats {
  /** Transactions open now. */
  readonly open: number
  /** Since the start: transactions that were stored. */
  readonly stored: number
  /** Works done again, because an actor had moved. */
  readonly retries: number
  /** Transactions that had been carried out before, and got their first value again. */
  readonly duplicates: number
}

type Work = (tx: Transaction) => unknown
type Outcome = TransactionCommitted | TransactionAborted

/** What is known of the commands of an actor that works met first. */
interface Anchor {
  readonly duplicates: DuplicateDetector
  /** T4. */
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
  readonly #unstorable = new Set<string>()
  #stored = 0
  #retries = 0
  #duplicates = 0
  #isClosing = false

  constructor(options: TransactorOptions) {
    this.#options = options
  }

  get transact(): Transact {
    // The implementation is the same for all results; only their types differ.
    return ((work: Work, options: TransactOptions = {}) =>
      this.#start(work, options)) as Transact
  }

  stats(): TransactionStats {
    const { size: open } = this.#open
    const [stored, retries, duplicates] = [this.#stored, this.#retries, this.#duplicates]
    return { open, stored, retries, duplicates }
  }

  /** T5. Takes nothing more in, and lets what is open end for at most `timeout` ms. */
  async close(timeout: number): Promise<void> {
    this.#isClosing = true
    const over = new AbortController()
    const ended = Promise.allSettled([...this.#open].map(({ promise }) => promise))
    void ended.then(() => over.abort())
    await pause(timeout, over.signal)
    for (const call of this.#open) call.giveUp(nodeClosed())
    await ended
  }

  async #start(work: Work, options: TransactOptions): Promise<Outcome> {
    const { id = newId(), attempts = attemptsDefault } = options
    checkId(id)
    if (checkCount('attempts', attempts) === 0)
      throw new CairnError('invalid-option', 'attempts is 0: use a whole number from 1.')
    if (this.#isClosing) throw nodeClosed()
    if (this.#open.size >= openMax)
      throw new CairnError(
        'queue-full',
        `${openMax} transactions are open on this node, its limit: begin fewer at once.`,
        { details: { limit: openMax } },
      )
    let canBeRepeated = options.id !== undefined
    const explain = (error: unknown) => withTransactionId(error, id, canBeRepeated)
    const subject = { describe: () => `transaction ${show(id)}`, explain }
    const call = new Call<Outcome>(subject, 0, options, this.#ports)
    this.#open.add(call)
    call.onOver(() => this.#open.delete(call))
    const anchored = (isAnchored: boolean) => (canBeRepeated = isAnchored)
    this.#run(call, work, id, attempts, options, anchored).then(
      outcome => call.resolve(outcome),
      (error: unknown) => call.fail(error),
    )
    return call.promise
  }

  /** T1. */
  async #run(
    call: Call<Outcome>,
    work: Work,
    id: string,
    attempts: number,
    options: TransactOptions,
    anchored: (isAnchored: boolean) => void,
  ): Promise<Outcome> {
    const { store, nodeId, clock, log, checkDefinition: check, directives: order } = this.#options
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
        call,
        causes,
        now,
        read: (read, doing) => this.#gate.run(read, call.signal, doing),
        readFirst: async (folding, definition) => {
          const known = isNew && search === undefined
          if (known) return { folded: await this.#read(folding, call), found: 'none' }
          return this.#search(folding, definition, call, now, repeats => {
            const begun = repeats.begin(commandIdOf(id, 1), false)
            return (search ??= begun)
          })
        },
        checkDefinition: check,
        directives: order,
        onMalformed: ({ position, source, reason }) =>
          log('warn', 'A record that a transaction passed by is no readable commit', {
            position,
            source,
            reason,
          }),
        onUnstorable: (type, error) => this.#noteUnstorable(type, error),
      })
      const done = await runWork(work, attempt)
      attempt.end()
      call.check()
      const { found } = attempt
      if (found === 'lagging') continue
      if (found !== 'none') {
        this.#duplicates++
        return { ok: true, transactionId: id, value: found.reply, duplicate: true }
      }
      if ('error' in done) {
        // Its own failure says more than that nobody could tell whether it is to be believed.
        const isStale = await attempt.isStale().catch(() => false)
        call.check()
        if (isStale) continue
        throw done.error
      }
      attempt.checkAwaited()
      const undone = abortReasonOf(done.value)
      const value =
        undone === undefined ? detach(done.value, 'result of a transaction') : undefined
      const isWriting = undone === undefined && attempt.parts(undefined, false).length > 0
      if (!isWriting) {
        const isStale = await attempt.isStale() // T2
        call.check()
        if (isStale) continue
        return undone === undefined
          ? { ok: true, transactionId: id, value, duplicate: false }
          : { ok: false, transactionId: id, reason: undone.reason }
      }
      if (!isNew && attempt.anchor === undefined) throw unanchored(id, attempt.firstName)
      anchored(attempt.anchor !== undefined)

      const result = await this.#store(call, attempt, value, { ...causes, at: now })
      if (result.ok) {
        this.#stored++
        for (const part of result.appended) this.#options.onStored(part)
        attempt.runAfterCommit(log)
        return { ok: true, transactionId: id, value, duplicate: false }
      }
      const { anchor } = attempt
      const lost = result.conflicts.find(
        ({ actor }) => formatAddress(actor) === attempt.firstName,
      )
      if (anchor !== undefined && lost !== undefined) {
        const { duplicates: repeats } = this.#anchorOf(anchor.folding, anchor.definition)
        const before = search ?? repeats.begin(anchor.commandId, true)
        search = repeats.continueSearch(before, anchor.read.version, lost.actual)
      }
    }
    throw new CairnError(
      'contention',
      `Transaction ${show(id)} found ${attempts} times that another writer had been faster; nothing was ` +
        'stored. Do it again later, over fewer actors, or with more attempts.',
      { details: { attempts } },
    )
  }

  async #store(
    call: Call<Outcome>,
    attempt: TransactionAttempt,
    value: unknown,
    options: { readonly at: number },
  ): Promise<AppendAllResult> {
    const { store } = this.#options
    const guards = attempt.guards()
    call.beginStoring()
    const append = (withStates: boolean) =>
      store.appendAll(attempt.parts(value, withStates), {
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
        // States are a convenience: nothing must fail because they make a commit too large.
        if (!isCairnError(error, 'commit-too-large')) throw error
        return await append(false)
      }
    } catch (error) {
      // Nothing was written: why the call was given up says more.
      if (isCairnError(error, 'aborted')) call.check()
      throw error
    } finally {
      call.endStoring()
    }
  }

  #read(folding: FoldContext, { signal }: Call<Outcome>) {
    const doing = `reading ${formatAddress(folding.actor)}`
    const read = () => recover(this.#options.store, folding, signal)
    return this.#gate.run(read, signal, doing)
  }

  /** T3 and T4: reads the first actor, and looks for the transaction in what it did last. */
  #search(
    folding: FoldContext,
    definition: AnyActorDefinition,
    call: Call<Outcome>,
    now: number,
    searchOf: (repeats: DuplicateDetector) => DuplicateSearch,
  ): Promise<FirstReading> {
    const anchor = this.#anchorOf(folding, definition)
    const { duplicates: repeats } = anchor
    const look = async (): Promise<FirstReading> => {
      call.check()
      const search = searchOf(repeats)
      const onHead: FoldContext['onHead'] = head => repeats.onHead(head, now)
      const at = await this.#read({ ...folding, onHead }, call)
      return { folded: at, found: await repeats.find(search, at.version, now, call) }
    }
    const looking = anchor.last.then(look)
    anchor.last = looking.catch(() => {}) // Its failure is that of the call it was for.
    return looking
  }

  #anchorOf({ actor }: FoldContext, { options }: AnyActorDefinition): Anchor {
    const name = formatAddress(actor)
    const known = this.#anchors.get(name)
    this.#anchors.delete(name)
    const { store } = this.#options
    const anchor = known ?? {
      duplicates: new DuplicateDetector(
        actor,
        { store, wake: (work, signal, doing) => this.#gate.run(work, signal, doing) },
        options.commandWindow,
      ),
      last: Promise.resolve(),
    }
    this.#anchors.set(name, anchor)
    // The one that was used least recently goes; it costs a reading of the last commits again.
    if (this.#anchors.size > anchorsMax)
      for (const [oldest] of this.#anchors) {
        this.#anchors.delete(oldest)
        break
      }
    return anchor
  }

  #noteUnstorable(type: string, error: unknown): void {
    if (this.#unstorable.has(type)) return
    this.#unstorable.add(type)
    const reason = error instanceof Error ? error.message : String(error)
    const message = `States of actor type ${type} cannot be stored, so waking one reads its history`
    this.#options.log('warn', message, { type, reason })
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

/** The error with the transaction's id, to do it again with where that is safe. */
function withTransactionId(error: unknown, id: string, canBeRepeated: boolean): unknown {
  if (!isCairnError(error)) return error
  const { code, message, cause, details, stack } = error
  const isOpen = code === 'outcome-unknown' && canBeRepeated
  const hint = ` Or transact again with id ${show(id)}, which acts once.`
  const told = new CairnError(code, isOpen ? message + hint : message, {
    cause,
    details: { ...details, transactionId: id },
  })
  // Where it came from is of more use than where it was passed on.
  if (!isOpen && stack !== undefined) told.stack = stack
  return told
}

function unanchored(id: string, first: string | undefined): CairnError {
  return new CairnError(
    'invalid-option',
    `Transaction ${show(id)} has an id of its own, and only reads ${first ?? 'nothing'}, which its work loads ` +
      'first: a repeat is recognised in the history of the first actor, so begin with one that is ' +
      'written. Nothing was stored.',
    { details: { actor: first } },
  )
}

function nodeClosed(): CairnError {
  return new CairnError(
    'node-closed',
    'This node is closing and begins no more transactions: use another one.',
  )
}
