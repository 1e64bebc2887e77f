// Behavior versions: which member owns an actor that needs a later version of its behavior than some members have.
//
// Owns what this node knows of the versions that actors need: a history that a later version wrote, and a command that
// only a later version knows, need that version.
// BEHAVIOR-VERSIONS-1. An actor that needs version v is owned by the member that placement picks among those with
//     version v or later of its type. Without such a member it is picked among all, which answer as well as they can.
//     Actors that need nothing more than every member has are placed as if all were equal.
// BEHAVIOR-VERSIONS-2. A need only grows while it is known, and a redirect carries it: after one redirect the nodes agree.
// BEHAVIOR-VERSIONS-3. Only needs that some member does not meet are kept, and at most `max`; the oldest is dropped. A
//     need that is not known costs a redirect: the actor's last commit has it.

import { type ActorAddress, formatAddress } from '../model/address.js'
import { isCount } from '../model/version.js'
import type { Member, Membership } from './membership.js'
import { ownerOf } from './placement.js'

/** Actors whose needs are known, at most. */
const neededMax = 20_000

type Need = { readonly type: string; readonly version: number }

export class BehaviorVersions {
  readonly #nodeId: string
  readonly #membership: Pick<Membership, 'members' | 'onChange'>
  readonly #max: number
  /** By the name of the actor; the oldest first. */
  readonly #needs = new Map<string, Need>()
  /** The latest version of each type that a member has had since this node started. */
  readonly #latestSeen = new Map<string, number>()
  readonly #listeners = new Set<(actor: ActorAddress) => void>()
  /** The view that `#lowest` and `#needs` were made for. */
  #members: readonly Member[] = []
  /** The lowest version of each type; filled on use. */
  readonly #lowest = new Map<string, number>()

  constructor(
    nodeId: string,
    membership: Pick<Membership, 'members' | 'onChange'>,
    max = neededMax,
  ) {
    this.#nodeId = nodeId
    this.#membership = membership
    this.#max = max
    this.#look()
    membership.onChange(() => this.#look())
  }

  /** The version that the actor needs, as far as this node knows; 1 if nothing is known. */
  neededBy(actor: ActorAddress): number {
    if (this.#needs.size === 0) return 1
    return this.#needs.get(formatAddress(actor))?.version ?? 1
  }

  /** The actor needs this version (BEHAVIOR-VERSIONS-2, BEHAVIOR-VERSIONS-3). */
  learn(actor: ActorAddress, version: unknown): void {
    const { type } = actor
    if (!isCount(version) || version <= this.#lowestOf(type)) return
    if (version <= this.neededBy(actor)) return
    const need: Need = { type, version }
    const name = formatAddress(actor)
    this.#needs.delete(name)
    this.#needs.set(name, need)
    if (this.#needs.size > this.#max)
      for (const oldest of this.#needs.keys()) {
        this.#needs.delete(oldest)
        break
      }
    for (const listener of this.#listeners) listener(actor)
  }

  /** Calls `listener` with each actor that turns out to need a later version than was known. */
  onLearned(listener: (actor: ActorAddress) => void): void {
    this.#listeners.add(listener)
  }

  /** BEHAVIOR-VERSIONS-1. */
  ownerOf(actor: ActorAddress): Member | undefined {
    const members = this.#look()
    const needed = this.neededBy(actor)
    if (needed === 1) return ownerOf(actor, members)
    return ownerOf(actor, capable(members, actor.type, needed)) ?? ownerOf(actor, members)
  }

  /** The member that owns the actor when this node has left. */
  nextOwner(actor: ActorAddress): Member | undefined {
    const others = this.#look().filter(({ id }) => id !== this.#nodeId)
    const needed = this.neededBy(actor)
    return ownerOf(actor, capable(others, actor.type, needed)) ?? ownerOf(actor, others)
  }

  /** The other member that owns the actor; `undefined` if this node does, or nobody. */
  otherOwner(actor: ActorAddress): string | undefined {
    const id = this.ownerOf(actor)?.id
    return id === this.#nodeId ? undefined : id
  }

  /** The other member that owns the actor when it needs this version; `undefined` if no other one has it. */
  capableOwner(actor: ActorAddress, version: number): string | undefined {
    const owner = ownerOf(actor, capable(this.#look(), actor.type, version))
    return owner === undefined || owner.id === this.#nodeId ? undefined : owner.id
  }

  /**
   * The member that owns the actor if it needs the next version after the one that a member has, which it is known to need
   * from then on; `undefined` if no member has a later one.
   */
  ownerAfter(actor: ActorAddress, id: string): string | undefined {
    const member = this.#look().find(one => one.id === id)
    if (member === undefined) return undefined
    const next = this.nextVersion(actor.type, versionOf(member, actor.type))
    if (next === undefined) return undefined
    this.learn(actor, next)
    return ownerOf(actor, capable(this.#look(), actor.type, next))?.id
  }

  /** Whether this node would own the actor if the actor needed this version. */
  wouldOwn(actor: ActorAddress, version: number): boolean {
    return ownerOf(actor, capable(this.#look(), actor.type, version))?.id === this.#nodeId
  }

  /** The lowest version of a type, after this one, that a member has. */
  nextVersion(type: string, after: number): number | undefined {
    let next: number | undefined
    for (const member of this.#look()) {
      const version = versionOf(member, type)
      if (version > after && version < (next ?? Infinity)) next = version
    }
    return next
  }

  /** The latest version of a type that a member has had since this node started; 0 for none. */
  latestSeen(type: string): number {
    return this.#latestSeen.get(type) ?? 0
  }

  /** The members now. After a change, needs that all of them meet are dropped. */
  #look(): readonly Member[] {
    const members = this.#membership.members()
    if (members === this.#members) return members
    this.#members = members
    this.#lowest.clear()
    for (const member of members)
      for (const type of member.types)
        this.#latestSeen.set(
          type,
          Math.max(this.latestSeen(type), versionOf(member, type)),
        )
    for (const [name, { type, version }] of this.#needs)
      if (version <= this.#lowestOf(type)) this.#needs.delete(name)
    return members
  }

  /** The lowest version of a type that a member has; without a member, nothing is known to have it. */
  #lowestOf(type: string): number {
    const members = this.#look()
    let lowest = this.#lowest.get(type)
    if (lowest !== undefined) return lowest
    lowest = Infinity
    for (const member of members)
      if (member.types.includes(type)) lowest = Math.min(lowest, versionOf(member, type))
    this.#lowest.set(type, lowest)
    return lowest
  }
}

function capable(members: readonly Member[], type: string, version: number): Member[] {
  return members.filter(member => versionOf(member, type) >= version)
}

/** A member's version of a type; 0 if it does not host it, 1 if it does not say. */
function versionOf({ types, behaviors }: Member, type: string): number {
  return types.includes(type) ? (behaviors?.[type] ?? 1) : 0
}
