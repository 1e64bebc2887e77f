// reject(): how a handler of `decide` rejects a command.

import type { Rejection } from '../model/behavior.js'

export const rejected = Symbol.for('cairn.rejected')

/** A rejection as `decide` returns it; made by {@link reject}. */
export interface RejectResult<Code extends string = string, Details = unknown> {
  readonly [rejected]: Rejection<Code, Details>
}

/**
 * Rejects a command: `return reject('overdraft', 'The balance is 5.', { balance: 5 })`. The caller
 * gets the rejection as a result, typed by its code; nothing is stored.
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
  return { [rejected]: { code, message: message ?? code, details } }
}
