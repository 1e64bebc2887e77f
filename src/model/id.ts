// Ids that nothing else has.

import { randomFillSync } from 'node:crypto'

/** A new id of 36 characters (UUID version 4). */
export function newId(): string {
  if (at === pool.length) {
    randomFillSync(pool)
    at = 0
  }
  for (let i = 0; i < idBytes; i++) {
    let byte = pool[at++]!
    if (i === 6) byte = (byte & 0x0f) | 0x40
    else if (i === 8) byte = (byte & 0x3f) | 0x80
    const place = places[i]!
    text[place] = digits[byte >> 4]!
    text[place + 1] = digits[byte & 0x0f]!
  }
  return text.toString('latin1')
}

// Not randomUUID(), which makes a text of twenty pieces: 0.6 kB each time, and a command has two ids.
// Random bytes are kept for the next ones, as it does.

const idBytes = 16
/** Random bytes for ids to come. */
const pool = new Uint8Array(256 * idBytes)
let at = pool.length
const digits = Buffer.from('0123456789abcdef')
const text = Buffer.from('xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx')
/** Where the two digits of each byte stand. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const
