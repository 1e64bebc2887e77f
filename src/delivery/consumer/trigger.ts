// A trigger: a consumer whose messages are handed to a function.
//
// T1. What the function returns from is acknowledged; what it throws on is given out again, later
//     and later, and becomes a dead letter after the consumer's attempts. Other messages flow on.
// T2. A message stays the trigger's for as long as the function works on it, however long.
// T3. `stop` takes nothing more, lets the function finish, and aborts it when its time is over; what
//     it had not finished goes to whoever comes next, at once, and no attempt is counted.

import { CairnError, isCairnError, messageOf } from '../../model/errors.js'
import type { WriteLog } from '../../model/log.js'
import { pause } from '../../model/wait.js'
import { backoffDefault } from '../backoff.js'
import { afterFailure, type RetryPolicy } from '../reactor/retry.js'
import type { ConsumedMessage, Consumer } from './consumer.js'

/** Handles a message; the signal fires when the time to finish is over. */
export type TriggerHandler = (
  message: ConsumedMessage,
  signal: AbortSignal,
) => Promise<void> | void

export interface TriggerOptions {
  /** Messages handled at a time. Default 1. */
  readonly concurrency?: number
}

export interface TriggerStats {
  readonly isRunning: boolean
  readonly handling: number
  /** Since it was made: */
  readonly handled: number
  readonly failures: number
}

export interface Trigger {
  /** Throws `invalid-option` when it is started already, `unknown-consumer` as `consume` does. */
  start(): Promise<void>
  /**
   * Resolves when nothing is handled any more, after `timeout` ms (default 10,000) at the latest.
   * It can be started again then.
   */
  stop(timeout?: number): Promise<void>
  stats(): TriggerStats
}

const maxWait = 2_000
const stopTimeout = 10_000
const troublePause = 500
/** The consumer itself counts the attempts. */
const policy: RetryPolicy = {
  attempts: Infinity,
  backoff: backoffDefault,
  when: () => true,
}

export function triggerOf(
  consumer: Consumer,
  handler: TriggerHandler,
  options: TriggerOptions & {
    readonly log: WriteLog
  },
): Trigger {
  const { concurrency = 1, log } = options
  if (!Number.isSafeInteger(concurrency) || concurrency < 1 || concurrency > 1_000)
    throw new CairnError(
      'invalid-option',
      `concurrency of a trigger is ${String(concurrency)}: use a whole number from 1 to 1,000.`,
    )
  let handled = 0
  let failures = 0
  let run: Run | undefined
  let ackWait = Infinity

  /** T1 and T2. Never rejects. */
  async function handle(message: ConsumedMessage, { ending }: Run): Promise<void> {
    const { ackToken: token, headers } = message
    const attempt = Number(headers['Cairn-Attempt'])
    const keeping = setInterval(
      () => {
        // Too late for that is found out when it is settled.
        consumer.extend(token).catch(() => {})
      },
      Math.max(1, ackWait / 3),
    )
    keeping.unref()
    try {
      try {
        await handler(message, ending.signal)
      } catch (error) {
        // T3: what was cut short is not to blame.
        if (ending.signal.aborted) return await consumer.release(token)
        failures++
        const { subject, sequence } = message
        log('warn', `A message of consumer ${consumer.name} could not be handled`, {
          err: error,
          subject,
          sequence,
          attempt,
        })
        const next = afterFailure(policy, attempt, error)
        return typeof next === 'number'
          ? await consumer.nak(token, next, error)
          : await consumer.term(token, error)
      }
      handled++
      await consumer.ack(token)
    } catch (error) {
      // It comes again when its time is over.
      if (isCairnError(error, 'store-closed')) return
      log('warn', `A message of consumer ${consumer.name} could not be settled`, {
        err: error,
        reason: messageOf(error),
      })
    } finally {
      clearInterval(keeping)
    }
  }

  /** Never rejects. */
  async function work(self: Run): Promise<void> {
    const { stopping, busy } = self
    while (!stopping.signal.aborted) {
      try {
        const batch = concurrency - busy.size
        if (batch === 0) {
          await Promise.race(busy)
          continue
        }
        const { signal } = stopping
        for (const message of await consumer.consume({ batch, maxWait, signal })) {
          const handling = handle(message, self).finally(() => busy.delete(handling))
          busy.add(handling)
        }
      } catch (error) {
        if (stopping.signal.aborted || isCairnError(error, 'node-closed')) break
        log('warn', `Consumer ${consumer.name} could not take messages; it tries again`, {
          err: error,
        })
        await pause(troublePause, stopping.signal)
      }
    }
    await Promise.all(busy)
  }

  return {
    async start() {
      if (run !== undefined)
        throw new CairnError(
          'invalid-option',
          `The trigger on consumer ${consumer.name} is started already: stop it first, or make another one.`,
        )
      const self: Run = {
        stopping: new AbortController(),
        ending: new AbortController(),
        busy: new Set(),
        ended: Promise.resolve(),
      }
      run = self
      try {
        ackWait = (await consumer.status()).ackWait
      } catch (error) {
        if (run === self) run = undefined
        throw error
      }
      self.ended = work(self)
    },

    async stop(timeout = stopTimeout) {
      const self = run
      if (self === undefined) return
      self.stopping.abort()
      const inTime = new AbortController()
      const ended = self.ended.then(() => inTime.abort())
      await Promise.race([ended, pause(timeout, inTime.signal)])
      if (!inTime.signal.aborted) {
        self.ending.abort()
        // A function that heeds the signal gives its message back now.
        await Promise.race([ended, pause(1_000, inTime.signal)])
      }
      if (run === self) run = undefined
    },

    stats: () => ({
      isRunning: run !== undefined,
      handling: run?.busy.size ?? 0,
      handled,
      failures,
    }),
  }
}

interface Run {
  readonly stopping: AbortController
  readonly ending: AbortController
  readonly busy: Set<Promise<void>>
  ended: Promise<void>
}
