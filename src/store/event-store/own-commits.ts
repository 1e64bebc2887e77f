// Commits that this process has just stored, until the server tells of them: what such a notice
// says is known here, and need not be read from it.
//
// Owns one place for every position modulo `places`. Whoever stores puts in, whoever hears takes out.
// O1. A notice is of a commit here only where position and commit id are the same: positions begin
//     anew with another stream. Whoever asks for the position compares the id.
// O2. Nothing waits for anything here. A notice that comes before its acknowledgement, or whose
//     place was needed for another commit, is read like those of others.
// O3. Nothing is kept while nobody listens.

import type { CommitHeader } from '../../codec/envelope.js'
import type { ActorAddress } from '../../model/address.js'
import type { NewCommit } from '../../model/commit.js'
import type { Position } from '../../model/version.js'

/** What the notice of a commit says. */
export interface OwnCommit {
  readonly namespace: string
  readonly actor: ActorAddress
  readonly position: Position
  readonly header: CommitHeader
  /** Position of the actor's record before this one; 0 for none. */
  readonly previousPosition: Position
}

/** Commits between their acknowledgements and their notices are a few hundred at most. */
const places = 1_024

export class OwnCommits {
  readonly namespace: string
  #places: (OwnCommit | undefined)[] | undefined
  #listeners = 0

  constructor(namespace: string) {
    this.namespace = namespace
  }

  /** Somebody listens to notices; the function that is returned, called once, ends that. */
  listen(): () => void {
    this.#listeners++
    this.#places ??= Array.from({ length: places })
    return () => {
      if (--this.#listeners === 0) this.#places = undefined // O3
    }
  }

  /** A commit was stored, with the position of the record before it as it was expected. */
  stored(commit: NewCommit, position: Position, previousPosition: Position): void {
    if (this.#places === undefined) return
    const header = headerOf(commit)
    if (header === undefined) return
    const { namespace } = this
    const { type, id } = commit.actor
    const own = { namespace, actor: { type, id }, position, header, previousPosition }
    this.#places[position % places] = own
  }

  /** The commit that was stored here at the position, if it is still known (O1). */
  at(position: Position): OwnCommit | undefined {
    const own = this.#places?.[position % places]
    return own?.position === position ? own : undefined
  }
}

/** What reading the headers of a commit comes to; `undefined` for one with more than events and a command. */
export function headerOf(commit: NewCommit): CommitHeader | undefined {
  const { command, commands, outbox, transactionId } = commit
  if (commands !== undefined || outbox !== undefined || transactionId !== undefined)
    return undefined
  const { firstVersion, events, nodeId, at } = commit
  const header: { -readonly [Key in keyof CommitHeader]: CommitHeader[Key] } = {
    commitId: commit.id,
    firstVersion,
    lastVersion: firstVersion + events.length - 1,
    eventTypes: events.map(event => event.type),
    nodeId,
    at,
  }
  const { correlationId, causationId, traceparent } = commit
  if (command !== undefined) header.commandId = command.id
  if (correlationId !== undefined) header.correlationId = correlationId
  if (causationId !== undefined) header.causationId = causationId
  if (traceparent !== undefined) header.traceparent = traceparent
  return header
}
