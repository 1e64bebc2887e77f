// Unique ids.

import { randomFillSync } from 'node:crypto'

/** A new id of 36 characters (UUID version 4). */
export function newId(): string {
  const given = source?.()
  if (given !== undefined) return given
  if (at === pool.length) {
    randomFillSync(pool)
    at = 0
  }
  for (let i = 0; i < idBytes; i++) {
    let byte = pool[at++]!
    if (i === 6) byte = (byte & 0x0f) | 0x40
    else if (i === 8) byte = (byte & 0x3f) | 0x80
    const offset = offsets[i]!
    text[offset] = digits[byte >> 4]!
    text[offset + 1] = digits[byte & 0x0f]!
  }
  return text.toString('latin1')
}

/**
 * Takes ids from somewhere else, for a simulation that repeats them; where the source has none, they are random.
 * Without a source they all are.
 */
export function setIdSource(next: (() => string | undefined) | undefined): void {
  source = next
}

let source: (() => string | undefined) | undefined

// randomUUID() is not used because it concatenates twenty strings, 0.6 kB per id, and a command has two
// ids. Like randomUUID(), this draws random bytes for many ids at a time.

const idBytes = 16
/** Random bytes for the next ids. */
const pool = new Uint8Array(256 * idBytes)
let at = pool.length
const digits = Buffer.from('0123456789abcdef')
const text = Buffer.from('xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx')
/** The offset of the two digits of each byte. */
const offsets = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const
