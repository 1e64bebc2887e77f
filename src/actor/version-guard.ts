// The version guard of an actor: whether this node's behavior is recent enough for the actor's history and commands.
//
// Owns what the history says of the behavior versions that have written to it.
// VERSION-GUARD-1. A history that a later version has written to is left to a node that has that version, while one is
//     a member: it decides on states that it understands. The same holds for a command that this node's behavior does
//     not know, and for a history that it cannot fold, while a node with a later version is a member.
// VERSION-GUARD-2. Without such a node, this node does what it can: the later version may have stored only events that
//     this one knows. What it cannot do is `version-behind`. The actor is not parked by it, and the next call tries again.
// VERSION-GUARD-3. A commit names the latest version that has written to its history, so the last commit tells it, also
//     after this node has written to the history of a later version.

import { type ActorAddress, formatAddress } from '../model/address.js'
import type { StoredCommit } from '../model/commit.js'
import { CairnError, isCairnError } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Head } from '../store/event-store/event-store.js'

/** What is known of the nodes: who owns an actor, and which behavior versions they have. */
export interface NodeVersions {
  /** The other member that owns the actor; `undefined` if this node does, or nobody. */
  otherOwner(actor: ActorAddress): string | undefined
  /** The other member that owns the actor when it needs this version; `undefined` if no other one has it. */
  capableOwner(actor: ActorAddress, version: number): string | undefined
  /** The lowest version of a type, after this one, that a member has. */
  nextVersion(type: string, after: number): number | undefined
  /** The latest version of a type that a member has had since this node started. */
  latestSeen(type: string): number
  /** The actor needs this version. */
  learn(actor: ActorAddress, version: number): void
}

export class VersionGuard {
  readonly #actor: ActorAddress
  readonly #own: number
  readonly #versions: () => NodeVersions | undefined
  #written = 1

  /**
   * @param own the version of this node's behavior
   * @param versions undefined where commands are not routed
   */
  constructor(
    actor: ActorAddress,
    own: number,
    versions: () => NodeVersions | undefined = () => undefined,
  ) {
    this.#actor = actor
    this.#own = own
    this.#versions = versions
  }

  /** The latest version that has written to the history, as far as it was read. */
  get written(): number {
    return this.#written
  }

  /** The version that the actor's next commit names (VERSION-GUARD-3). */
  get version(): number {
    return Math.max(this.#own, this.#written)
  }

  /** Throws `not-owner` if the history is left to another node (VERSION-GUARD-1). */
  onHead({ version, last }: Pick<Head, 'version' | 'last'>): void {
    if (version === 0) this.#written = 1
    else if (last?.kind === 'commit') this.#written = versionWrittenBy(last)
    if (this.#written === 1) return
    this.#versions()?.learn(this.#actor, this.#written)
    if (this.#written > this.#own) this.#redirectTo(this.#written, 'its history')
  }

  /** A commit that names {@link version} was stored. */
  onStored(): void {
    this.#written = this.version
    if (this.#written > 1) this.#versions()?.learn(this.#actor, this.#written)
  }

  /** Throws `not-owner` if a member has a later version: it may be able to do what this node cannot. */
  redirectToLater(what: string): void {
    const next = this.#versions()?.nextVersion(this.#actor.type, this.#own)
    if (next !== undefined) this.#redirectTo(next, what)
  }

  /** The error of a fold, or of a command of this type, as the caller gets it. */
  explain(error: unknown, commandType?: string): unknown {
    if (!isCairnError(error)) return error
    const { code, details } = error
    const isUnknown = code === 'unknown-command' && details.command === commandType
    const isUnfoldable = code === 'actor-parked' || code === 'version-behind'
    if (!isUnknown && !isUnfoldable) return error
    try {
      const { needs } = details
      if (typeof needs === 'number') this.#redirectTo(needs, 'its history')
      this.redirectToLater(isUnknown ? `command ${show(commandType)}` : 'its history')
    } catch (redirect) {
      return redirect
    }
    const { type } = this.#actor
    const latest = Math.max(this.#written, this.#versions()?.latestSeen(type) ?? 0)
    return isUnknown && latest > this.#own
      ? commandBehind(this.#actor, error, this.#own, latest)
      : error
  }

  /** Throws `not-owner` if another node has this version. */
  #redirectTo(needed: number, what: string): void {
    const versions = this.#versions()
    const owner = versions?.capableOwner(this.#actor, needed)
    if (owner === undefined) return
    versions?.learn(this.#actor, needed)
    const name = formatAddress(this.#actor)
    throw new CairnError(
      'not-owner',
      `${name} belongs to node ${owner}: ${what} needs behavior version ${needed} of actor type ` +
        `${this.#actor.type}, and this node runs ${this.#own}. Nothing was stored; ask that node.`,
      { details: { owner, behaviorVersion: needed } },
    )
  }
}

/** The latest version that had written to the history of a commit. */
export function versionWrittenBy({ behaviorVersion = 1, state }: StoredCommit): number {
  // Most commits have only the version of their state.
  const folded = state?.behavior
  return typeof folded === 'number' ? Math.max(behaviorVersion, folded) : behaviorVersion
}

/** Whether an error names the node to ask instead. */
export function isRedirect(error: unknown): error is CairnError {
  return isCairnError(error, 'not-owner') && typeof error.details.owner === 'string'
}

/** The error of a fold that failed on a commit to whose history a later version has written (VERSION-GUARD-2). */
export function historyBehind(
  actor: ActorAddress,
  own: number,
  needs: number,
  failure: CairnError,
): CairnError {
  const name = formatAddress(actor)
  const { reason, ...details } = failure.details
  return new CairnError(
    'version-behind',
    `${name} was written by behavior version ${needs} of actor type ${actor.type}, and this node runs ${own}, ` +
      `which cannot fold it: ${String(reason)} No node with version ${needs} or later is a member. Nothing was ` +
      `stored; start one and send again, or deploy a version that folds these events.`,
    {
      cause: failure.cause ?? failure,
      details: { actor: name, ...details, runs: own, needs },
    },
  )
}

function commandBehind(
  actor: ActorAddress,
  unknown: CairnError,
  own: number,
  needs: number,
): CairnError {
  const { command, known } = unknown.details
  const name = formatAddress(actor)
  return new CairnError(
    'version-behind',
    `${name} has no command ${show(command)} in behavior version ${own} of actor type ${actor.type}, which this ` +
      `node runs, and version ${needs} exists. No node with a later version is a member. Nothing was stored; start ` +
      'one that knows the command and send it again.',
    { details: { actor: name, command, known, runs: own, needs } },
  )
}
