// The histories in a log, per actor, and the states that they lead to.

import type { AnyActorDefinition } from '../actor/definition.js'
import {
  initialFoldedState,
  foldCommit,
  type FoldContext,
  type FoldedState,
} from '../actor/fold.js'
import { type ActorAddress, formatAddress } from '../model/address.js'
import { commitSlicesOf, type LogRecord, type StoredCommit } from '../model/commit.js'
import type { Version } from '../model/version.js'

export interface History {
  readonly actor: ActorAddress
  /** One for each command: those that were stored as one commit stand side by side. */
  readonly commits: readonly StoredCommit[]
}

export class Histories {
  readonly #definitions: ReadonlyMap<string, AnyActorDefinition>
  readonly #byActor = new Map<string, { actor: ActorAddress; commits: StoredCommit[] }>()
  readonly #byPosition = new Map<number, StoredCommit[]>()
  readonly #byCommand = new Map<string, StoredCommit[]>()
  /** Where each actor's last replay ended: most go forward. */
  readonly #replays = new Map<string, { at: FoldedState; next: number }>()

  constructor(definitions: readonly AnyActorDefinition[], records: readonly LogRecord[]) {
    this.#definitions = new Map(definitions.map(one => [one.type, one]))
    for (const record of records)
      if (record.kind === 'commit')
        for (const commit of byCommand(record)) this.#add(commit)
  }

  all(): Iterable<History> {
    return this.#byActor.values()
  }

  of(actor: ActorAddress): readonly StoredCommit[] {
    return this.#byActor.get(formatAddress(actor))?.commits ?? []
  }

  versionOf(actor: ActorAddress): Version {
    return this.of(actor).at(-1)?.lastVersion ?? 0
  }

  /** What stands at a position: where several commands do, the one that led to the version. */
  at(position: number, version: Version): StoredCommit | undefined {
    const commits = this.#byPosition.get(position)
    return commits?.find(({ lastVersion }) => lastVersion === version) ?? commits?.at(-1)
  }

  /** The commits of a command id, which should be one at most; by actor, as ids are looked for. */
  ofCommand(actor: ActorAddress, id: string): readonly StoredCommit[] {
    return this.#byCommand.get(`${formatAddress(actor)} ${id}`) ?? []
  }

  /** All commands that led to a commit. */
  commands(): Iterable<readonly StoredCommit[]> {
    return this.#byCommand.values()
  }

  definitionOf(actor: ActorAddress): AnyActorDefinition | undefined {
    return this.#definitions.get(actor.type)
  }

  /** The state at a version, folded from the first event on; throws what the behavior throws. */
  stateAt(actor: ActorAddress, version: Version): FoldedState | undefined {
    const definition = this.definitionOf(actor)
    if (definition === undefined) return undefined
    const key = formatAddress(actor)
    const folding: FoldContext = { actor, behavior: definition.behavior }
    const known = this.#replays.get(key)
    const isOnTheWay = known !== undefined && known.at.version <= version
    let { at, next } = isOnTheWay ? known : { at: initialFoldedState(folding), next: 0 }
    const commits = this.of(actor)
    while (at.version < version && next < commits.length)
      at = foldCommit(folding, at, commits[next++]!)
    this.#replays.set(key, { at, next })
    return at.version === version ? at : undefined
  }

  #add(commit: StoredCommit): void {
    const { actor, position, command } = commit
    const key = formatAddress(actor)
    const known = this.#byActor.get(key)
    if (known === undefined) this.#byActor.set(key, { actor, commits: [commit] })
    else known.commits.push(commit)
    this.#byPosition.set(position, [...(this.#byPosition.get(position) ?? []), commit])
    if (command === undefined) return
    const ofCommand = `${key} ${command.id}`
    this.#byCommand.set(ofCommand, [...(this.#byCommand.get(ofCommand) ?? []), commit])
  }
}

/** A commit of several commands as it would be, had each been stored alone. */
function byCommand(commit: StoredCommit): StoredCommit[] {
  const { commands, state, ...rest } = commit
  if (commands === undefined) return [commit]
  return commitSlicesOf(commit).map(({ firstVersion, lastVersion, command }) => ({
    ...rest,
    firstVersion,
    lastVersion,
    events: commit.events.filter(
      ({ version }) => version >= firstVersion && version <= lastVersion,
    ),
    ...(command !== undefined && { command }),
    ...(state !== undefined && lastVersion === commit.lastVersion && { state }),
  }))
}
