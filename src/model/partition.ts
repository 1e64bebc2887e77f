// Partitions: parts of a namespace's log that are ordered in themselves and read in parallel.

import { type ActorAddress, formatAddress } from './address.js'

/** The number of partitions of a new namespace, fixed at its creation. */
export const defaultPartitions = 16

/**
 * What has become of a node that owns a partition, as another one sees it. `reached`: requests reach it, so it releases what
 * is not its own. `apart`: its process runs, and requests do not reach it. `ended`: its process has ended, for all that
 * is known.
 */
export type OwnerFate = 'reached' | 'apart' | 'ended'

/**
 * The partition of an actor: FNV-1a (32 bits, offset 2166136261, prime 16777619) over the UTF-8
 * bytes of `type/id`, modulo the number of partitions. Any language can compute it.
 */
export function partitionOf(address: ActorAddress, partitions: number): number {
  const key = formatAddress(address)
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 0x7f) return hashBytes(Buffer.from(key)) % partitions
    hash = Math.imul(hash ^ unit, 0x01000193)
  }
  return (hash >>> 0) % partitions
}

function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
