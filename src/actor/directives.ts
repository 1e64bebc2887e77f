// Orders: what operators have said about the actors of this namespace, as far as this node
// knows. Read at the start, and again when a notice tells of a supervisor's commit.
//
// Owns one entry for each supervisor there is.
// O1. What is known to be behind is not obeyed: whoever asks waits for the read (`pending`). A
//     read that failed fails those who waited for it, and is made again for the next.
// O2. When notices may have been missed, all of it is behind, until all of it has been read.
// O3. An entry only moves forward, and each change is told once (`onChange`).

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

/** What is said about one actor. */
export interface DirectiveState {
  readonly paused: ActorPause | undefined
  readonly skips: Skips | undefined
  readonly retries: number
}

export interface DirectivesOptions {
  readonly store: Pick<EventStore, 'head' | 'commits' | 'actors'>
  readonly log: WriteLog
}

/** Hears of the order before and after. */
export type DirectiveListener = (
  actor: ActorAddress,
  before: DirectiveState,
  after: DirectiveState,
) => void

interface Entry {
  directive: DirectiveState
  /** The supervisor's version that `order` is of. */
  version: Version
  /** The highest version that a notice spoke of. */
  noticed: Version
  reading: Promise<void> | undefined
}

const noDirectives: DirectiveState = { paused: undefined, skips: undefined, retries: 0 }

/** Supervisors read at the same time. */
const readsMax = 16
/** Reads that may fail to show what a notice has told already. */
const lagReads = 10

export class Directives {
  readonly #store: DirectivesOptions['store']
  readonly #log: WriteLog
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new AbortController()
  #listener: DirectiveListener = () => {}
  /** Rises when notices may have been missed. */
  #loadsWanted = 1
  /** The suspicions that have been cleared by reading everything. */
  #loadsDone = 0
  #loading: Promise<void> | undefined

  constructor({ store, log }: DirectivesOptions) {
    this.#store = store
    this.#log = log
  }

  onChange(listener: DirectiveListener): void {
    this.#listener = listener
  }

  /** What is known to be said about the supervisor's actor; see {@link pending}. */
  of(id: string): DirectiveState {
    return this.#entries.get(id)?.directive ?? noDirectives
  }

  /** Undefined when what is known is up to date; else the wait for that, which may fail (O1). */
  pending(id: string): Promise<void> | undefined {
    if (this.#loadsDone !== this.#loadsWanted) return this.load()
    const entry = this.#entries.get(id)
    return entry === undefined || entry.version >= entry.noticed
      ? undefined
      : this.#catchUp(id, entry)
  }

  /** What is said about an actor, once that is up to date; throws `aborted`. */
  async now(actor: ActorAddress, signal?: AbortSignal): Promise<DirectiveState> {
    const name = formatAddress(actor)
    const id = supervisorId(name)
    const wait = this.pending(id)
    if (wait !== undefined) await raceSignal(wait, signal)
    if (signal?.aborted) throw abortedError(signal, `reading the orders for ${name}`)
    return this.of(id)
  }

  /** A supervisor's commit was stored. */
  onCommit(id: string, version: Version): void {
    const entry = this.#entry(id)
    if (version <= entry.noticed) return
    entry.noticed = version
    this.#inBackground(this.#catchUp(id, entry))
  }

  /** O2. */
  markUnverified(): void {
    this.#loadsWanted++
    this.#inBackground(this.load())
  }

  /** Reads all that was ever said. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  close(): void {
    this.#closing.abort()
  }

  async #load(): Promise<void> {
    while (this.#loadsDone !== this.#loadsWanted) {
      const suspicions = this.#loadsWanted
      const { signal } = this.#closing
      const reads = new Set<Promise<void>>()
      let failure: { readonly error: unknown } | undefined
      for await (const { id } of this.#store.actors({ type: supervisorType, signal })) {
        const read = this.#read(id, this.#entry(id))
          .catch((error: unknown) => {
            if (!this.#isDamaged(id, error)) failure ??= { error }
          })
          .finally(() => reads.delete(read))
        reads.add(read)
        if (reads.size >= readsMax) await Promise.race(reads)
      }
      await Promise.all(reads)
      if (failure !== undefined) throw failure.error
      this.#loadsDone = suspicions
    }
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id)
    if (entry === undefined) {
      entry = { directive: noDirectives, version: 0, noticed: 0, reading: undefined }
      this.#entries.set(id, entry)
    }
    return entry
  }

  /** Reads until what a notice spoke of is there; at once for all who wait. */
  #catchUp(id: string, entry: Entry): Promise<void> {
    entry.reading ??= (async () => {
      for (let attempt = 0; entry.version < entry.noticed; attempt++) {
        // A replica may lag behind the notice; a notice may be wrong.
        if (attempt === lagReads) entry.noticed = entry.version
        else {
          await pause(attempt * 20, this.#closing.signal)
          await this.#read(id, entry)
        }
      }
    })().finally(() => (entry.reading = undefined))
    return entry.reading
  }

  async #read(id: string, entry: Entry): Promise<void> {
    const folding = { actor: { type: supervisorType, id }, behavior: supervisor.behavior }
    const { state, version } = await recover(this.#store, folding, this.#closing.signal)
    if (version <= entry.version) return
    const before = entry.directive
    entry.version = version
    entry.directive = directiveStateOf(state, before)
    this.#notify(id, state, before, entry.directive)
  }

  /** A supervisor that cannot be read stops its own actor, and no other. */
  #isDamaged(id: string, error: unknown): boolean {
    if (!isCairnError(error, 'actor-parked')) return false
    this.#entry(id).noticed = Infinity
    this.#log('error', error.message, error.details)
    return true
  }

  #notify(
    id: string,
    { actor }: SupervisionState,
    before: DirectiveState,
    after: DirectiveState,
  ): void {
    // Whoever appends past the behavior may have written any name.
    if (supervisorId(actor) !== id) return
    try {
      this.#listener(parseAddress(actor), before, after)
    } catch (error) {
      this.#log('error', `An order could not be carried out: ${messageOf(error)}`, {
        actor,
      })
    }
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (isCairnError(error, 'aborted') || this.#closing.signal.aborted) return
      this.#log(
        'warn',
        `What operators have said could not be read, and is read again: ${messageOf(error)}`,
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
  // Who has folded with these skips must see that they are the same ones.
  const isSame = String(skips) === String(before.skips)
  return { paused: paused ?? undefined, skips: isSame ? before.skips : skips, retries }
}
