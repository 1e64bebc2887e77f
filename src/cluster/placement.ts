// Placement: which member owns an actor. Pure, and the same on every node that sees the same
// members. Safety does not depend on it, since the store checks every commit; only the number of conflicts does.
//
// Weighted rendezvous hashing (Thaler and Ravishankar 1998; the logarithmic form for
// weights is by Schindelhauer and Schomaker 2005): every member has a score for the
// actor, and the highest score owns it. A member that joins takes over only the actors for which it has the highest
// score, and the departure of a member moves only its own actors.

import { type ActorAddress, formatAddress } from '../model/address.js'

/** The properties of a node that determine placement. */
export interface Candidate {
  readonly id: string
  /** Actor types that it hosts. */
  readonly types: readonly string[]
  /** Its share of actors, relative to the other nodes. Greater than 0; usually 1. */
  readonly weight: number
}

/** The owner of an actor; `undefined` if no candidate hosts its type. */
export function ownerOf<Member extends Candidate>(
  actor: ActorAddress,
  candidates: Iterable<Member>,
): Member | undefined {
  const key = hash(formatAddress(actor), 0)
  let owner: Member | undefined
  let highest = -Infinity
  for (const candidate of candidates) {
    if (!candidate.types.includes(actor.type)) continue
    const score = scoreOf(key, candidate)
    // Equal scores are almost impossible; then the id decides, so that all nodes agree.
    if (
      score > highest ||
      (score === highest && owner !== undefined && candidate.id < owner.id)
    ) {
      owner = candidate
      highest = score
    }
  }
  return owner
}

function scoreOf(key: number, { id, weight }: Candidate): number {
  // In (0, 1), excluding both ends, whose logarithm would not be a score.
  const uniform = (hash(id, key) + 0.5) / 2 ** 32
  return -weight / Math.log(uniform)
}

/** A 32-bit hash: FNV-1a with a seed and the finalizer of MurmurHash3, so that similar ids have different scores. */
function hash(text: string, seed: number): number {
  let h = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  }
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
