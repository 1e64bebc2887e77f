// Correlation and causation ids: which texts are valid. They are written to headers and logs and
// passed to other systems.

import { createHash } from 'node:crypto'

import type { Causes, GivenCauses } from './commit.js'
import { defined } from './defined.js'
import { CairnError } from './errors.js'
import { show } from './show.js'

/** The longest correlation id, causation id or traceparent, in bytes: as long as the longest command id. */
const causeBytesMax = 1_024
const principalBytesMax = 256

// eslint-disable-next-line no-control-regex -- control characters are exactly what is rejected
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/

/**
 * Returns the causes of a command or message that comes from outside. A correlation id that is not
 * 1 to 1,024 bytes of well-formed text without control characters is replaced by one derived from
 * it, always the same: a header set by a stranger must not make a command fail, and must not reach
 * a log or a header. Throws `invalid-option` for a correlation id that is not a string, and for a
 * traceparent, a causation id or a principal that is not valid.
 */
export function sanitizeCauses(causes: GivenCauses): Causes {
  const { correlationId } = causes
  const valid =
    typeof correlationId === 'string'
      ? { ...causes, correlationId: correlationOf(correlationId) }
      : causes
  checkCauses(valid as Causes)
  return definedCauses(valid)
}

/**
 * Throws `invalid-option` for a correlation id or a traceparent that is not 1 to 1,024 bytes of
 * well-formed text without control characters. A causation id may contain control characters,
 * because it may contain an actor's id.
 */
export function checkCauses({
  correlationId,
  causationId,
  traceparent,
  principal,
}: Causes): void {
  check('correlationId', correlationId, isValid)
  check('traceparent', traceparent, isValid)
  check('causationId', causationId, isText)
  if (principal !== undefined) checkPrincipal(principal)
}

/** Throws `invalid-option` for a text that names nobody. */
export function checkPrincipal(principal: unknown): void {
  if (isPrincipal(principal)) return
  throw new CairnError(
    'invalid-option',
    `principal is ${show(principal)}: use 1 to ${principalBytesMax} bytes of well-formed text without control ` +
      'characters, or leave it out.',
    { details: { name: 'principal' } },
  )
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

/**
 * Returns what is passed on unchanged to all that a commit or message causes: the traceparent and the principal, if they
 * are valid. A foreign writer may have stored an invalid one, which is not passed on.
 */
export function carriedCauses({
  traceparent,
  principal,
}: Causes): Pick<Causes, 'traceparent' | 'principal'> {
  return {
    ...(isValid(traceparent) && { traceparent }),
    ...(isPrincipal(principal) && { principal }),
  }
}

/** Returns the causes without the undefined ones. */
export function definedCauses({
  correlationId,
  causationId,
  traceparent,
  principal,
}: GivenCauses): Causes {
  return defined({ correlationId, causationId, traceparent, principal })
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

function isPrincipal(value: unknown): value is string {
  return isValid(value) && Buffer.byteLength(value) <= principalBytesMax
}

function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= causeBytesMax
  )
}
