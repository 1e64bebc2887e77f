// Correlation and causation ids: which texts are valid. They are written to headers and logs and
// passed to other systems.

import { createHash } from 'node:crypto'

import type { Causes } from './commit.js'
import { defined } from './defined.js'
import { CairnError } from './errors.js'
import { show } from './show.js'

/** The longest correlation id, causation id or traceparent, in bytes: as long as the longest command id. */
const causeBytesMax = 1_024

// eslint-disable-next-line no-control-regex -- control characters are exactly what is rejected
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/

/**
 * Returns the causes of a command or message that comes from outside. A correlation id that is not
 * 1 to 1,024 bytes of well-formed text without control characters is replaced by one derived from
 * it, always the same: a header set by a stranger must not make a command fail, and must not reach
 * a log or a header. Throws `invalid-option` for a correlation id that is not a string, and for a
 * traceparent or causation id that is not valid.
 */
export function sanitizeCauses(causes: Causes): Causes {
  const { correlationId } = causes
  const valid =
    typeof correlationId === 'string'
      ? { ...causes, correlationId: correlationOf(correlationId) }
      : causes
  checkCauses(valid)
  return valid
}

/**
 * Throws `invalid-option` for a correlation id or a traceparent that is not 1 to 1,024 bytes of
 * well-formed text without control characters. A causation id may contain control characters,
 * because it may contain an actor's id.
 */
export function checkCauses({ correlationId, causationId, traceparent }: Causes): void {
  check('correlationId', correlationId, isValid)
  check('traceparent', traceparent, isValid)
  check('causationId', causationId, isText)
}

/**
 * Returns the first candidate that is a valid correlation id. If none is, returns one that is
 * derived from the last candidate, always the same.
 */
export function correlationOf(
  ...candidates: readonly [...(string | undefined)[], string]
): string {
  const valid = candidates.find(isValid)
  if (valid !== undefined) return valid
  const hash = createHash('sha256').update(candidates.at(-1)!).digest('hex')
  return `corr-${hash.slice(0, 24)}`
}

/** Returns the traceparent if it is valid: a foreign writer may have stored an invalid one, which is not passed on. */
export function validTraceparent({ traceparent }: Causes): Pick<Causes, 'traceparent'> {
  return isValid(traceparent) ? { traceparent } : {}
}

/** Returns the causes without the undefined ones. */
export function definedCauses({
  correlationId,
  causationId,
  traceparent,
}: { readonly [Name in keyof Causes]?: string | undefined }): Causes {
  return defined({ correlationId, causationId, traceparent })
}

function check(
  name: keyof Causes,
  value: unknown,
  accepts: (value: unknown) => boolean,
): void {
  if (value === undefined || accepts(value)) return
  throw new CairnError(
    'invalid-option',
    `${name} is ${show(value)}: use 1 to ${causeBytesMax} bytes of well-formed text without control ` +
      'characters, or leave it out.',
    { details: { name } },
  )
}

function isValid(value: unknown): value is string {
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
