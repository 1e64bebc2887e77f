// The kinds of values in headers: text, numbers and lists.

import { type ActorAddress, formatAddress, parseAddress } from '../model/address.js'
import { CairnError, type ErrorCode } from '../model/errors.js'
import { show } from '../model/show.js'
import { isCount } from '../model/version.js'
import type { HeaderKind } from './header-row.js'
import {
  decodeHeader,
  decodeListUpTo,
  encodeHeader,
  encodeList,
  tryEncodeHeader,
} from './headers.js'

/** Any well-formed text. Encoding throws `invalid-option` for another value. */
export function text(what: string): HeaderKind<string> {
  return {
    encode(value: unknown) {
      const encoded = tryEncodeHeader(value)
      if (encoded !== undefined) return encoded
      throw new CairnError(
        'invalid-option',
        `The ${what} is ${show(value)}: pass well-formed text.`,
        { details: { value } },
      )
    },
    decode: decodeHeader,
  }
}

/** Well-formed text of 1 to `bytesMax` bytes of UTF-8. Encoding throws `code` for another value. */
export function boundedText(
  code: ErrorCode,
  what: string,
  bytesMax: number,
): HeaderKind<string> {
  const fits = (value: string) => Buffer.byteLength(value) <= bytesMax
  return {
    encode(value: string) {
      const encoded = tryEncodeHeader(value)
      if (encoded !== undefined && value !== '' && fits(value)) return encoded
      throw new CairnError(
        code,
        `${show(value)} is not a ${what}: use 1 to ${bytesMax} bytes of well-formed text.`,
      )
    },
    decode(value) {
      const decoded = decodeHeader(value)
      return fits(decoded) ? decoded : undefined
    },
  }
}

/** One of a few words. `other` stands for a word that this build does not know. */
export function word<Word extends string>(
  words: readonly Word[],
  other: Word,
): HeaderKind<Word> {
  return {
    encode: value => value,
    decode: value => words.find(known => known === value) ?? other,
  }
}

/** The address of an actor. */
export const address: HeaderKind<ActorAddress> = {
  encode: value => encodeHeader(formatAddress(value)),
  decode: value => parseAddress(decodeHeader(value)),
}

/** A word that stands for true; a row without it is false. */
export function flag(yes: string): HeaderKind<boolean> {
  return { encode: () => yes, decode: value => value === yes }
}

const digits = /^\d{1,16}$/

/** A whole number from `min` to 2^53 - 1. */
export function countFrom(min: number): HeaderKind<number> {
  return {
    encode: String,
    decode(value) {
      const number = digits.test(value) ? Number(value) : undefined
      return isCount(number) && number >= min ? number : undefined
    },
  }
}

export const count = countFrom(0)

const decimal = /^-?\d{1,32}(?:\.\d{1,32})?(?:e[+-]?\d{1,3})?$/i

/** A time, ms since 1970. */
export const time: HeaderKind<number> = {
  encode: String,
  decode(value) {
    const number = decimal.test(value) ? Number(value) : NaN
    return Number.isFinite(number) ? number : undefined
  },
}

/** Up to `max` texts, with run lengths. */
export function listUpTo(max: number): HeaderKind<readonly string[]> {
  return { encode: encodeList, decode: value => decodeListUpTo(value, max) }
}
