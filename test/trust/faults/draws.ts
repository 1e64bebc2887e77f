// What faults draw from a stream of random numbers.

import type { Random } from '../../../src/testing/random.js'

/** From `least` up to, and without, `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + random() * (most - least)
}

export function chance(random: Random, probability: number): boolean {
  return random() < probability
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  if (items.length === 0) throw new Error('There is nothing to pick from.')
  return items[Math.floor(random() * items.length)]!
}

export function shuffle<Item>(random: Random, items: readonly Item[]): Item[] {
  return items
    .map(item => ({ item, rank: random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
