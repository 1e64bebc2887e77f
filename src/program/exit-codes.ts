// The exit codes of the programs. Scripts may rely on these numbers.

import { isCairnError, messageOf } from '../model/errors.js'
import { withoutLogins } from '../nats/login.js'
import { plain } from './plain.js'

export const exitCode = {
  ok: 0,
  /** Refused or failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** The server, the store or a node could not be reached. */
  unreachable: 3,
  /** The actor was at another version than expected. */
  conflict: 4,
  /** `cairn doctor` found what is to be watched, and nothing critical. */
  watch: 5,
} as const

/** The command line is wrong; the message names the mistake and the remedy. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCode.usage
  if (!isCairnError(error)) return exitCode.failed
  switch (error.code) {
    case 'store-unreachable':
    case 'no-node':
    case 'no-jetstream':
    case 'answer-lost':
    case 'deadline-exceeded':
    case 'outcome-unknown':
    case 'not-owner':
      return exitCode.unreachable
    case 'invalid-namespace':
    case 'invalid-actor-type':
    case 'invalid-actor-id':
    case 'invalid-event':
    case 'invalid-command':
    case 'invalid-option':
      return exitCode.usage
    default:
      return exitCode.failed
  }
}

/** One line for stderr. */
export function explain(error: unknown): string {
  // An argument in the wrong place may be a URL with a login.
  const message = plain(withoutLogins(messageOf(error).replaceAll(/\s*\n\s*/g, ' ')))
  return isCairnError(error) ? `${message} [${error.code}]` : message
}
