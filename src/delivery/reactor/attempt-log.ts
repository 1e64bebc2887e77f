// Breadcrumbs: one line of log for every attempt at a message, and one for its end. Their fields
// are promised (docs/reactors.md) and held by a test: tools read them.

import { formatAddress } from '../../model/address.js'
import { messageOf } from '../../model/errors.js'
import type { Reactor } from './define-reactor.js'
import type { DeliveryAttempt } from '../group/partition-processor.js'
import type { Message } from '../messages/message.js'

type Level = 'debug' | 'info' | 'warn' | 'error'

/** Takes a line; which levels are written is the log's. */
export interface AttemptLog {
  (level: Level, message: string, details: object): void
  /** Whether lines of a level are written at all. Default: yes. */
  isWritten?(level: Level): boolean
}

/** How an attempt ended. */
export type AttemptEnd =
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

/** Fields of `reactor.attempt` and `reactor.final`, in both of which those without `?` are always. */
export interface AttemptRecord {
  readonly event: 'reactor.attempt' | 'reactor.final'
  readonly reactor: string
  readonly messageId: string
  readonly topic: string
  /** Who published it; null for plain code. */
  readonly actor: string | null
  readonly correlationId: string | null
  readonly position: number
  readonly status: AttemptEnd['status']
  readonly retry: {
    readonly attempt: number
    /** null where there is no end. */
    readonly maxAttempts: number | null
    /** Milliseconds until the next attempt; null where there is none. */
    readonly backoffMs: number | null
    /** ISO 8601, with milliseconds; null where there is none. */
    readonly nextAttemptAt: string | null
  }
  /** Of this attempt; all of them for `reactor.final` are not added up. */
  readonly durationMs: number
  /** Where it ended with one. */
  readonly error?: { readonly name: string; readonly message: string }
  /** Where it was given up. */
  readonly dlq?: DeadLetterMark
}

/** What marks a message as given up. */
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
  crumbs: AttemptLog,
  about: {
    readonly reactor: Reactor
    readonly message: Message
    readonly attempt: DeliveryAttempt
    readonly duration: number
  },
  end: AttemptEnd,
): void {
  const { reactor, message, attempt, duration } = about
  const level = levels[end.status]
  if (crumbs.isWritten?.(level) === false) return
  const isScheduled = end.status === 'retry-scheduled'
  const { attempts } = reactor.retry
  const crumb: Omit<AttemptRecord, 'event'> = {
    reactor: reactor.name,
    messageId: message.id,
    topic: message.topic,
    actor: message.actor === undefined ? null : formatAddress(message.actor),
    correlationId: message.correlationId ?? null,
    position: message.position,
    status: end.status,
    retry: {
      attempt: attempt.attempt,
      maxAttempts: attempts === Infinity ? null : attempts,
      backoffMs: isScheduled ? end.after : null,
      nextAttemptAt: isScheduled ? new Date(end.at).toISOString() : null,
    },
    durationMs: duration,
    ...('error' in end && { error: nameAndMessage(end.error) }),
    ...(end.status === 'dead-letter' && {
      dlq: deadLetterMark(reactor.name, end.reason, end.at),
    }),
  }
  const why = 'reason' in end ? ` (${end.reason})` : ''
  const text = `message ${message.id}: attempt ${attempt.attempt} ${end.status}${why}`
  crumbs(level, text, { event: 'reactor.attempt', ...crumb })
  if (isScheduled || end.status === 'aborted') return
  const last = `message ${message.id}: ${end.status}${why}`
  crumbs(level, last, { event: 'reactor.final', ...crumb })
}

function nameAndMessage(error: unknown): { name: string; message: string } {
  const name = error instanceof Error ? error.name : 'Error'
  return { name, message: messageOf(error) }
}
