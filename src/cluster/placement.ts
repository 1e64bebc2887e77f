// Placement: which member owns an actor. Pure, and the same on every node that sees the same
// members; safety does not rest on it (the store judges), only how often nodes collide.
//
// Weighted rendezvous hashing (Thaler and Ravishankar 1998; the logarithmic form for
// weights is by Schindelhauer and Schomaker 2005): every member draws a score for the
// actor, the highest owns it. A member that joins takes only actors for which it now scores
// highest, and one that leaves gives up only its own.

import { type ActorAddress, formatAddress } from '../model/address.js'

/** What placement needs to know of a node. */
export interface Candidate {
  readonly id: string
  /** Actor types it hosts. */
  readonly types: readonly string[]
  /** Its share of actors relative to the others'. Greater than 0; 1 is usual. */
  readonly weight: number
}

/** The owner of an actor, or `undefined` when no candidate hosts its type. */
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
    // Equal scores are all but impossible; the id decides, so that all nodes agree.
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
  // In (0, 1), never at its ends: the logarithm of either would be no score.
  const drawn = (hash(id, key) + 0.5) / 2 ** 32
  return -weight / Math.log(drawn)
}

/** 32 bits of `text`: FNV-1a, begun from a seed and finished as MurmurHash3 does, so that ids alike score apart. */
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
