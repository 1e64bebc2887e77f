// Directives: what operators have ordered for the actors of this namespace, as far as this node knows.
// They are read at the start, and again when a notice reports a supervisor's commit.
//
// Owns one entry for each supervisor.
// DIRECTIVES-1. An entry that is known to be out of date is not used: a caller waits for the read
//               (`pending`). If the read fails, the callers that wait get the error, and the
//               next caller starts a new read.
// DIRECTIVES-2. When notices may have been missed, all entries are out of date until all have been read.
// DIRECTIVES-3. The version of an entry only grows, and each change is reported once (`onChange`).

import { type ActorAddress, formatAddress, parseAddress } from '../model/address.js'
import { isCairnError, messageOf } from '../model/errors.js'
import type { WriteLog } from '../model/log.js'
import type { Version } from '../model/version.js'
import { abortedError, pause, raceSignal } from '../model/wait.js'
import type { EventStore } from '../store/event-store/event-store.js'
import { recover } from './recovery.js'
import { Skips } from './skips.js'
import {
  type ActorPause,
  type SupervisionState,
  supervisor,
  supervisorId,
  supervisorType,
} from './supervisor.js'

/** The directives in force for one actor. */
export interface DirectiveState {
  readonly paused: ActorPause | undefined
  readonly skips: Skips | undefined
  readonly retries: number
}

export interface DirectivesOptions {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'actors'>
  readonly log: WriteLog
}

/** Called with an actor's directives before and after a change. */
export type DirectiveListener = (
  actor: ActorAddress,
  before: DirectiveState,
  after: DirectiveState,
) => void

interface Entry {
  directive: DirectiveState
  /** The supervisor's version that `directive` was read at. */
  version: Version
  /** The highest version that a notice reported. */
  reportedVersion: Version
  reading: Promise<void> | undefined
}

const noDirectives: DirectiveState = { paused: undefined, skips: undefined, retries: 0 }

/** The most supervisors that are read at the same time. */
const readsMax = 16
/** Reads to try before a version that a notice reported is taken to be wrong. */
const laggingReadsMax = 10

export class Directives {
  readonly #store: DirectivesOptions['store']
  readonly #log: WriteLog
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new AbortController()
  #listener: DirectiveListener = () => {}
  /** The number of complete loads that are wanted; grows when notices may have been missed. */
  #loadsWanted = 1
  /** The value of `#loadsWanted` at the start of the last complete load. */
  #loadsDone = 0
  #loading: Promise<void> | undefined

  constructor({ store, log }: DirectivesOptions) {
    this.#store = store
    this.#log = log
  }

  onChange(listener: DirectiveListener): void {
    this.#listener = listener
  }

  /** The known directives of a supervisor's actor; they may be out of date, see {@link pending}. */
  of(id: string): DirectiveState {
    return this.#entries.get(id)?.directive ?? noDirectives
  }

  /** Undefined if the directives are up to date; else resolves when they are, or fails (DIRECTIVES-1). */
  pending(id: string): Promise<void> | undefined {
    if (this.#loadsDone !== this.#loadsWanted) return this.load()
    const entry = this.#entries.get(id)
    return entry === undefined || entry.version >= entry.reportedVersion
      ? undefined
      : this.#catchUp(id, entry)
  }

  /** Returns an actor's directives when they are up to date. Throws `aborted`. */
  async now(actor: ActorAddress, signal?: AbortSignal): Promise<DirectiveState> {
    const name = formatAddress(actor)
    const id = supervisorId(name)
    const wait = this.pending(id)
    if (wait !== undefined) await raceSignal(wait, signal)
    if (signal?.aborted) throw abortedError(signal, `reading the directives for ${name}`)
    return this.of(id)
  }

  /** A supervisor's commit was stored. */
  onCommit(id: string, version: Version): void {
    const entry = this.#entry(id)
    if (version <= entry.reportedVersion) return
    entry.reportedVersion = version
    this.#inBackground(this.#catchUp(id, entry))
  }

  /** DIRECTIVES-2. */
  markUnverified(): void {
    this.#loadsWanted++
    this.#inBackground(this.load())
  }

  /** Reads all supervisors. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  close(): void {
    this.#closing.abort()
  }

  async #load(): Promise<void> {
    while (this.#loadsDone !== this.#loadsWanted) {
      const wanted = this.#loadsWanted
      const { signal } = this.#closing
      const reads = new Set<Promise<void>>()
      let failure: { readonly error: unknown } | undefined
      for await (const { id } of this.#store.actors({ type: supervisorType, signal })) {
        const read = this.#refresh(id, this.#entry(id))
          .catch((error: unknown) => {
            if (!this.#markDamaged(id, error)) failure ??= { error }
          })
          .finally(() => reads.delete(read))
        reads.add(read)
        if (reads.size >= readsMax) await Promise.race(reads)
      }
      await Promise.all(reads)
      if (failure !== undefined) throw failure.error
      this.#loadsDone = wanted
    }
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id)
    if (entry === undefined) {
      entry = {
        directive: noDirectives,
        version: 0,
        reportedVersion: 0,
        reading: undefined,
      }
      this.#entries.set(id, entry)
    }
    return entry
  }

  /** Reads until the entry is at the version that a notice reported; all callers share the read. */
  #catchUp(id: string, entry: Entry): Promise<void> {
    entry.reading ??= (async () => {
      for (let attempt = 0; entry.version < entry.reportedVersion; attempt++) {
        // A replica may lag behind the notice, and a notice may be wrong.
        if (attempt === laggingReadsMax) entry.reportedVersion = entry.version
        else {
          await pause(attempt * 20, this.#closing.signal)
          await this.#refresh(id, entry)
        }
      }
    })().finally(() => (entry.reading = undefined))
    return entry.reading
  }

  async #refresh(id: string, entry: Entry): Promise<void> {
    const folding = { actor: { type: supervisorType, id }, behavior: supervisor.behavior }
    const { state, version } = await recover(this.#store, folding, this.#closing.signal)
    if (version <= entry.version) return
    const before = entry.directive
    entry.version = version
    entry.directive = directiveStateOf(state, before)
    this.#notify(id, state, before, entry.directive)
  }

  /**
   * Returns whether the error means that this supervisor's history cannot be folded, which affects its own actor only.
   * Every later call reads it again.
   */
  #markDamaged(id: string, error: unknown): boolean {
    if (!isCairnError(error, 'actor-parked')) return false
    this.#entry(id).reportedVersion = Infinity
    this.#log('error', error.message, error.details)
    return true
  }

  #notify(
    id: string,
    { actor }: SupervisionState,
    before: DirectiveState,
    after: DirectiveState,
  ): void {
    // An append that did not go through the behavior may contain any name.
    if (supervisorId(actor) !== id) return
    try {
      this.#listener(parseAddress(actor), before, after)
    } catch (error) {
      this.#log('error', `A directive could not be applied: ${messageOf(error)}`, {
        actor,
      })
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (isCairnError(error, 'aborted') || this.#closing.signal.aborted) return
      this.#log(
        'warn',
        `The operators' directives could not be read, and are read again: ${messageOf(error)}`,
        {},
      )
    })
  }
}

function directiveStateOf(
  { paused, skipped, retries }: SupervisionState,
  before: DirectiveState,
): DirectiveState {
  const skips = Skips.of(skipped)
  // Actors compare skips by identity, so equal skips must stay the same object.
  const isSame = String(skips) === String(before.skips)
  return { paused: paused ?? undefined, skips: isSame ? before.skips : skips, retries }
}
