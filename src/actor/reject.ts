// reject(): how a handler of `decide` rejects a command.

import type { Rejection } from '../model/behavior.js'
import { CairnError } from '../model/errors.js'
import { show } from '../model/show.js'

export const rejected = Symbol.for('cairn.rejected')

/** A rejection as `decide` returns it; made by {@link reject}. */
export interface RejectResult<Code extends string = string, Details = unknown> {
  readonly [rejected]: Rejection<Code, Details>
}

/**
 * Rejects a command: `return reject('overdraft', 'The balance is 5.', { balance: 5 })`. The caller
 * gets the rejection as a result, typed by its code; nothing is stored. Throws `invalid-definition` for a code or a
 * message that is not text.
 */
export function reject<const Code extends string>(
  code: Code,
  message?: string,
): RejectResult<Code, undefined>
export function reject<const Code extends string, Details>(
  code: Code,
  message: string,
  details: Details,
): RejectResult<Code, Details>
export function reject(code: string, message?: string, details?: unknown): RejectResult {
  if (!isText(code) || code === '')
    throw new CairnError(
      'invalid-definition',
      `reject got ${show(code)} as the code: pass a text, reject('overdraft', 'The balance is 5.').`,
    )
  if (message !== undefined && !isText(message))
    throw new CairnError(
      'invalid-definition',
      `reject(${show(code)}) got ${show(message)} as the message: pass a text, and values as the third argument.`,
    )
  return { [rejected]: { code, message: message ?? code, details } }
}

/** Callers on other nodes get the text as it is. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}
