// The attempt log: one line for every attempt at a message, and one for its final outcome. The fields are
// part of the public contract (docs/reactors.md) and covered by a test: tools parse them.

import { formatAddress } from '../../model/address.js'
import { toDeadLetterError } from '../../codec/dead-letter.js'
import type { Reactor } from './define-reactor.js'
import type { DeliveryAttempt } from '../group/handling.js'
import type { Message } from '../messages/message.js'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Writes a line; the log decides which levels are written. */
export interface AttemptLog {
  (level: Level, message: string, details: object): void
  /** Whether lines of a level are written. Default: all are. */
  isLevelEnabled?(level: Level): boolean
}

/** The outcome of an attempt. */
export type AttemptOutcome =
  | { readonly status: 'processed' }
  | { readonly status: 'aborted'; readonly error: unknown }
  | {
      readonly status: 'retry-scheduled'
      readonly after: number
      readonly at: number
      readonly error: unknown
    }
  | { readonly status: 'dropped'; readonly reason: string; readonly at: number }
  | {
      readonly status: 'dead-letter'
      readonly reason: string
      readonly at: number
      readonly error: unknown
    }

/** The fields of `reactor.attempt` and `reactor.final`. Both always have those without `?`. */
export interface AttemptRecord {
  readonly event: 'reactor.attempt' | 'reactor.final'
  readonly reactor: string
  readonly messageId: string
  readonly topic: string
  /** The actor that published it; null for plain code. */
  readonly actor: string | null
  readonly correlationId: string | null
  readonly position: number
  readonly status: AttemptOutcome['status']
  readonly retry: {
    readonly attempt: number
    /** null when attempts are not limited. */
    readonly maxAttempts: number | null
    /** Milliseconds until the next attempt; null when there is none. */
    readonly backoffMs: number | null
    /** ISO 8601, with milliseconds; null when there is none. */
    readonly nextAttemptAt: string | null
  }
  /** Duration of this attempt; for `reactor.final`, of the last one. */
  readonly durationMs: number
  /** Present when the attempt ended with an error. */
  readonly error?: { readonly name: string; readonly message: string }
  /** Present when the message became a dead letter. */
  readonly dlq?: DeadLetterMark
}

/** The mark of a message that became a dead letter. */
export interface DeadLetterMark {
  readonly terminal: true
  readonly queueName: string
  readonly reason: string
  readonly markedAt: string
}

export function deadLetterMark(
  reactor: string,
  reason: string,
  at: number,
): DeadLetterMark {
  return {
    terminal: true,
    queueName: `${reactor}.dlq`,
    reason,
    markedAt: new Date(at).toISOString(),
  }
}

const levels = {
  processed: 'debug',
  aborted: 'info',
  'retry-scheduled': 'warn',
  dropped: 'warn',
  'dead-letter': 'error',
} as const

export function logAttempt(
  log: AttemptLog,
  about: {
    readonly reactor: Reactor
    readonly message: Message
    readonly attempt: DeliveryAttempt
    readonly duration: number
  },
  outcome: AttemptOutcome,
): void {
  const { reactor, message, attempt, duration } = about
  const level = levels[outcome.status]
  if (log.isLevelEnabled?.(level) === false) return
  const isScheduled = outcome.status === 'retry-scheduled'
  const { attempts } = reactor.retry
  const record: Omit<AttemptRecord, 'event'> = {
    reactor: reactor.name,
    messageId: message.id,
    topic: message.topic,
    actor: message.actor === undefined ? null : formatAddress(message.actor),
    correlationId: message.correlationId ?? null,
    position: message.position,
    status: outcome.status,
    retry: {
      attempt: attempt.attempt,
      maxAttempts: attempts === Infinity ? null : attempts,
      backoffMs: isScheduled ? outcome.after : null,
      nextAttemptAt: isScheduled ? timeText(outcome.at) : null,
    },
    durationMs: duration,
    ...('error' in outcome && { error: nameAndMessage(outcome.error) }),
    ...(outcome.status === 'dead-letter' && {
      dlq: deadLetterMark(reactor.name, outcome.reason, outcome.at),
    }),
  }
  const why = 'reason' in outcome ? ` (${outcome.reason})` : ''
  const text = `message ${message.id}: attempt ${attempt.attempt} ${outcome.status}${why}`
  log(level, text, { event: 'reactor.attempt', ...record })
  if (isScheduled || outcome.status === 'aborted') return
  const last = `message ${message.id}: ${outcome.status}${why}`
  log(level, last, { event: 'reactor.final', ...record })
}

/** ISO 8601; null for a time that no date can have, after a delay without a useful limit. */
function timeText(at: number): string | null {
  return at <= dateMax ? new Date(at).toISOString() : null
}

/** The last millisecond that a Date can have. */
const dateMax = 8.64e15

function nameAndMessage(error: unknown): { name: string; message: string } {
  const { name, message } = toDeadLetterError(error)
  return { name, message }
}
