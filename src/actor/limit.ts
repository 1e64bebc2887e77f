// limit(): a middleware that limits how many commands pass in a second.
//
// Owns a bucket of tokens for each key. A command takes one; `perSecond` come back each second, up to `burst`.
// LIMIT-1. At most `keysMax` buckets are kept. The one that was used least recently is dropped, and is full when it is
//     used again.

import { formatAddress } from '../model/address.js'
import { checkOptions } from '../model/check-options.js'
import { CairnError, refusal } from '../model/errors.js'
import { show } from '../model/show.js'
import type { CommandMiddleware, GuardedCommand } from './guarded-command.js'

export interface LimitOptions {
  /** Commands of one key that pass in a second, on the long run; greater than 0, and may be a fraction. */
  readonly perSecond: number
  /** Commands of one key that pass at once, if none came for long. At least 1. Default: `perSecond`, and at least 1. */
  readonly burst?: number | undefined
  /**
   * What is limited, each by itself: an actor type, a principal (all commands without one together), an actor, or the text
   * that a function returns; `undefined` is not limited. Default `'type'`.
   */
  readonly by?:
    'type' | 'principal' | 'actor' | ((command: GuardedCommand) => string | undefined)
}

interface Bucket {
  tokens: number
  /** By `performance.now()`. */
  at: number
}

const keysMax = 10_000
const keyOf = {
  type: ({ actor }: GuardedCommand) => actor.type,
  principal: ({ principal = '' }: GuardedCommand) => principal,
  actor: ({ actor }: GuardedCommand) => formatAddress(actor),
} as const

/**
 * Limits calls: commands above the rate are refused with `rate-limited`, and `details.retryAfter` says after how many
 * milliseconds one passes. Stored commands, timers and the commands of handlers are not limited: they were accepted
 * before. Each node counts what reaches its own actors. Throws `invalid-option`.
 */
export function limit(options: LimitOptions): CommandMiddleware {
  checkOptions('limit', options, { perSecond: true, burst: true, by: true })
  const { perSecond, by = 'type' } = options
  if (typeof perSecond !== 'number' || !(perSecond > 0) || !Number.isFinite(perSecond))
    throw invalid('perSecond', perSecond, 'a number greater than 0')
  const { burst = Math.max(1, perSecond) } = options
  if (typeof burst !== 'number' || !(burst >= 1) || !Number.isFinite(burst))
    throw invalid('burst', burst, 'a number from 1')
  if (typeof by !== 'function' && !Object.hasOwn(keyOf, by))
    throw invalid('by', by, "'type', 'principal', 'actor' or a function")
  const key = typeof by === 'function' ? by : keyOf[by]
  const buckets = new Map<string, Bucket>()

  return function limit(command, next) {
    const { source } = command
    if (source !== 'call' && source !== 'transaction') return next()
    const name = key(command)
    if (name === undefined) return next()
    const now = performance.now()
    const known = buckets.get(name)
    buckets.delete(name)
    const tokens =
      known === undefined
        ? burst
        : Math.min(burst, known.tokens + ((now - known.at) / 1_000) * perSecond)
    const bucket = { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now }
    buckets.set(name, bucket)
    // A map keeps the order of insertion (LIMIT-1).
    if (buckets.size > keysMax)
      for (const [oldest] of buckets) {
        buckets.delete(oldest)
        break
      }
    if (tokens >= 1) return next()
    const retryAfter = Math.ceil(((1 - tokens) / perSecond) * 1_000)
    throw rateLimited(command, name, perSecond, retryAfter)
  }
}

function rateLimited(
  { actor, type, id: commandId }: GuardedCommand,
  key: string,
  perSecond: number,
  retryAfter: number,
): CairnError {
  return refusal(
    'rate-limited',
    `Command ${show(type)} to ${formatAddress(actor)} is above the limit of ${perSecond} a second for ` +
      `${key === '' ? 'commands without a principal' : show(key)}. Nothing was stored. Send again in ${retryAfter} ms.`,
    { key, perSecond, retryAfter, commandId },
  )
}

function invalid(name: string, value: unknown, use: string): CairnError {
  return new CairnError(
    'invalid-option',
    `${name} of limit is ${show(value)}: use ${use}.`,
  )
}
