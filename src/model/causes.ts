// Which ids may tie things together: they go into headers, logs and other systems.

import { createHash } from 'node:crypto'

import type { Causes } from './commit.js'
import { CairnError } from './errors.js'
import { show } from './show.js'

/** Bytes of a correlation id, a causation id or a traceparent, at most: an id may become one. */
const causeBytesMax = 1_024

// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/

/**
 * The causes of what comes from outside, as they are used from there on. A correlation id that is not
 * 1 to 1,024 bytes of well-formed text without control characters is replaced by one that is made
 * of it, always the same: a stranger's header refuses nobody's command, and reaches no log or
 * header. Throws `invalid-option` for one that is no text, and for other unsound causes.
 */
export function sanitizeCauses(causes: Causes): Causes {
  const { correlationId } = causes
  const sound =
    typeof correlationId === 'string'
      ? { ...causes, correlationId: correlationOf(correlationId) }
      : causes
  checkCauses(sound)
  return sound
}

/**
 * Refuses, with `invalid-option` and before anything is done, a correlation id or a traceparent
 * that is not 1 to 1,024 bytes of well-formed text without control characters. A causation id may
 * hold an actor's id, and with it any character.
 */
export function checkCauses({ correlationId, causationId, traceparent }: Causes): void {
  check('correlationId', correlationId, isSound)
  check('traceparent', traceparent, isSound)
  check('causationId', causationId, isText)
}

/**
 * The first of the candidates that is a sound correlation id; where none is, one that is made of
 * the last, always the same.
 */
export function correlationOf(
  ...candidates: readonly [...(string | undefined)[], string]
): string {
  const sound = candidates.find(isSound)
  if (sound !== undefined) return sound
  const hash = createHash('sha256').update(candidates.at(-1)!).digest('hex')
  return `corr-${hash.slice(0, 24)}`
}

/** As they are carried on: what a foreign writer has stored may be unsound, and must not be in the way. */
export function soundTrace({ traceparent }: Causes): Pick<Causes, 'traceparent'> {
  return isSound(traceparent) ? { traceparent } : {}
}

/** Those that are there, alone: no key stands for one that is not. */
export function definedCauses({
  correlationId,
  causationId,
  traceparent,
}: { readonly [Name in keyof Causes]?: string | undefined }): Causes {
  return {
    ...(correlationId !== undefined && { correlationId }),
    ...(causationId !== undefined && { causationId }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

function check(
  name: keyof Causes,
  value: unknown,
  isFine: (value: unknown) => boolean,
): void {
  if (value === undefined || isFine(value)) return
  throw new CairnError(
    'invalid-option',
    `${name} is ${show(value)}: use 1 to ${causeBytesMax} bytes of well-formed text without control ` +
      'characters, or leave it out.',
    { details: { name } },
  )
}

function isSound(value: unknown): value is string {
  return isText(value) && !controlCharacter.test(value)
}

function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= causeBytesMax
  )
}
