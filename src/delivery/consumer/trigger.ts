// A trigger: calls a function with the messages of a consumer.
//
// TRIGGER-1. A message is acknowledged when the function returns. When it throws, the message is given out again with
//     growing delays, and becomes a dead letter after the consumer's attempts. Other messages are not delayed.
// TRIGGER-2. The lease of a message is extended for as long as the function works on it.
// TRIGGER-3. `stop` consumes no further messages, lets the function finish, and aborts it when its time is used up.
//     Messages that it has not finished are given out again at once, and the attempt does not count.

import { CairnError, isCairnError, messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import { describedError } from '../../model/thrown.js'
import {
  type HandleTrace,
  handleTraces,
  trace,
  type TraceOrigin,
} from '../../model/trace.js'
import { pause } from '../../model/wait.js'
import { backoffDefault } from '../../model/backoff.js'
import { FailureLog } from '../failure-log.js'
import { afterFailure, type RetryPolicy } from '../../model/retry-policy.js'
import type { ConsumedMessage } from './consumed-message.js'
import type { NodeConsumer } from './consumer.js'

/** Handles a message. The signal fires when the time to finish is used up. */
export type TriggerHandler = (
  message: ConsumedMessage,
  signal: AbortSignal,
) => Promise<void> | void

export interface TriggerOptions {
  /** Messages handled at a time. Default 1. */
  readonly concurrency?: number | undefined
}

export interface TriggerStats {
  readonly isRunning: boolean
  readonly handling: number
  /** Messages handled, and failed attempts, since the trigger was created. */
  readonly handled: number
  readonly failures: number
}

export interface Trigger {
  /** Throws `invalid-option` when it is running, or `unknown-consumer`. */
  start(): Promise<void>
  /**
   * Resolves when no message is handled any more, about `timeout` ms (default 10,000) later at the latest.
   * The trigger can be started again then.
   */
  stop(timeout?: number): Promise<void>
  stats(): TriggerStats
}

/** A trigger as its node sees it. */
export interface NodeTrigger extends Trigger {
  /** What it has still to handle, in words; `undefined` for nothing, and while it does not run. */
  unsettled(signal: AbortSignal): Promise<string | undefined>
  /** When the next message that waits is given out again, ms since 1970. */
  nextDueAt(): Promise<number | undefined>
}

const maxWait = 2_000
const stopTimeoutDefault = 10_000
/** Milliseconds for a function that was aborted to end. */
const abortTimeout = 1_000
const retryDelay = 500
/** The consumer counts the attempts. */
const policy: RetryPolicy = {
  attempts: Infinity,
  backoff: backoffDefault,
  when: () => true,
}

export function createTrigger(
  consumer: NodeConsumer,
  handler: TriggerHandler,
  options: TriggerOptions & {
    readonly log: WriteLog
    readonly origin: TraceOrigin
  },
): NodeTrigger {
  const { concurrency = 1, log, origin } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1 || concurrency > 1_000)
    throw new CairnError(
      'invalid-option',
      `concurrency of a trigger is ${String(concurrency)}: use a whole number from 1 to 1,000.`,
    )
  const consuming = new FailureLog(log)
  let handled = 0
  let failures = 0
  let run: Run | undefined
  let ackWait = Infinity

  /** TRIGGER-1, TRIGGER-2. Never rejects. */
  async function handle(message: ConsumedMessage, { interrupting }: Run): Promise<void> {
    const { ackToken: token, headers } = message
    const attempt = Number(headers['Cairn-Attempt'])
    const extending = setInterval(
      () => {
        // A failure shows when the message is settled.
        consumer.extend(token).catch(() => {})
      },
      Math.max(1, ackWait / 3),
    )
    extending.unref()
    try {
      try {
        if (handleTraces.hasSubscribers)
          await handleTraced(message, attempt, interrupting.signal)
        else await handler(message, interrupting.signal)
      } catch (error) {
        // TRIGGER-3: an interrupted attempt is not a failure.
        if (interrupting.signal.aborted) return await consumer.release(token)
        failures++
        const { subject, sequence } = message
        log('warn', `A message of consumer ${consumer.name} could not be handled`, {
          err: error,
          subject,
          sequence,
          attempt,
        })
        const next = afterFailure(policy, attempt, error)
        const described = describedError(error)
        return typeof next === 'number'
          ? await consumer.nak(token, next, described)
          : await consumer.term(token, described)
      }
      handled++
      await consumer.ack(token)
    } catch (error) {
      // The message is given out again when its lease expires.
      if (isCairnError(error, 'store-closed')) return
      log('warn', `A message of consumer ${consumer.name} could not be settled`, {
        err: error,
        reason: messageOf(error),
      })
    } finally {
      clearInterval(extending)
    }
  }

  function handleTraced(message: ConsumedMessage, attempt: number, signal: AbortSignal) {
    const { headers } = message
    const context: HandleTrace = {
      ...origin,
      group: `consumer:${consumer.name}`,
      topic: message.subject,
      messageId: headers['Cairn-Message']!,
      attempt,
      correlationId: headers['Cairn-Correlation'],
      traceparent: headers.traceparent,
    }
    return trace(handleTraces, context, async traceparent =>
      handler(
        traceparent === undefined
          ? message
          : { ...message, headers: { ...headers, traceparent } },
        signal,
      ),
    )
  }

  /** Never rejects. */
  async function consumeAll(self: Run): Promise<void> {
    const { stopping, handling } = self
    while (!stopping.signal.aborted) {
      try {
        const batch = concurrency - handling.size
        if (batch === 0) {
          await Promise.race(handling)
          continue
        }
        const { signal } = stopping
        await consumer.giveOut({ batch, maxWait, signal }, messages => {
          self.taken += messages.length
          for (const message of messages) {
            const task = handle(message, self).finally(() => handling.delete(task))
            handling.add(task)
          }
        })
        consuming.succeeded()
      } catch (error) {
        if (stopping.signal.aborted || isCairnError(error, 'node-closed')) break
        const text = `The trigger on consumer ${consumer.name} could not consume; it retries`
        consuming.failed(text, error)
        await pause(retryDelay, stopping.signal)
      }
    }
    await Promise.all(handling)
  }

  return {
    async unsettled(signal) {
      const self = run
      if (self === undefined) return undefined
      const { taken } = self
      // A message that is leased while the consumer is read is in neither answer alone (CONSUMER-6).
      const isBusy = () =>
        self.handling.size > 0 || consumer.isLeasing || self.taken !== taken
      const hasMessages = isBusy() || (await consumer.hasMessages(signal)) || isBusy()
      return hasMessages ? `the trigger on ${consumer.name} has messages` : undefined
    },

    nextDueAt: async () => (run === undefined ? undefined : consumer.nextDueAt()),

    async start() {
      if (run !== undefined)
        throw new CairnError(
          'invalid-option',
          `The trigger on consumer ${consumer.name} is running already: stop it first, or create another one.`,
        )
      const self: Run = {
        stopping: new AbortController(),
        interrupting: new AbortController(),
        handling: new Set(),
        taken: 0,
        ended: Promise.resolve(),
      }
      run = self
      try {
        ackWait = (await consumer.status()).ackWait
      } catch (error) {
        if (run === self) run = undefined
        throw error
      }
      self.ended = consumeAll(self)
    },

    async stop(timeout = stopTimeoutDefault) {
      const self = run
      if (self === undefined) return
      self.stopping.abort()
      const inTime = new AbortController()
      const ended = self.ended.then(() => inTime.abort())
      await Promise.race([ended, pause(timeout, inTime.signal)])
      if (!inTime.signal.aborted) {
        self.interrupting.abort()
        // A function that obeys the signal releases its message now.
        await Promise.race([ended, pause(abortTimeout, inTime.signal)])
      }
      if (run === self) run = undefined
    },

    stats: () => ({
      isRunning: run !== undefined,
      handling: run?.handling.size ?? 0,
      handled,
      failures,
    }),
  }
}

interface Run {
  readonly stopping: AbortController
  readonly interrupting: AbortController
  readonly handling: Set<Promise<void>>
  /** Messages taken over so far. */
  taken: number
  ended: Promise<void>
}
