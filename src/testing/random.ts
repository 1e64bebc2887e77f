// Random numbers that a seed repeats, in streams that do not disturb each other.

import { randomInt } from 'node:crypto'

/** From 0 up to, and without, 1. */
export type Random = () => number

/**
 * A stream of random numbers (mulberry32) for a seed and a name: what one part of a run draws
 * does not shift what another part gets.
 */
export function randomFrom(seed: number, name: string): Random {
  let state = (seed ^ hashOf(name)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed that nothing repeats but itself. */
export function newSeed(): number {
  return randomInt(2 ** 31)
}

/** FNV-1a over UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++)
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
