// Runs a piece of work on this node: attempt after attempt, until one succeeds, the last one fails or the work is stopped.
//
// Owns the attempt that runs, and the wait before the next one.
// RUN-WORK-1. It reports one end, and none after it was stopped.
// RUN-WORK-2. An attempt is over when its function ends, when its time is up or when the work is stopped, whichever is
//     first. What a function does after that counts for nothing; its signal tells it.
// RUN-WORK-3. Work that has succeeded is not repeated because its result cannot be stored: that is a failure of its own.

import type { ActorAddress } from '../model/address.js'
import type { ChildContext, ChildEnd, ChildSpec, RunningChild } from '../model/child.js'
import type { Clock } from '../model/clock.js'
import { CairnError } from '../model/errors.js'
import { afterFailure, retryPolicy } from '../model/retry-policy.js'
import { show } from '../model/show.js'
import { describedError } from '../model/thrown.js'
import { pause, raceSignal } from '../model/wait.js'
import type { PendingWork } from '../model/work.js'
import type { AnyActorDefinition } from './definition.js'
import { detach, detachPlain } from './detach.js'
import type { AnyWork, FailedWork, WorkContext, WorkError } from './work.js'

const timeoutDefault = 30_000

/** The child that does a piece of work. */
export function workChild(
  definition: AnyActorDefinition,
  actor: ActorAddress,
  pending: PendingWork,
  clock: Pick<Clock, 'wait'>,
): ChildSpec {
  return {
    key: pending.key,
    start(context) {
      const work = definition.performs?.find(({ name }) => name === pending.work)
      if (work === undefined) throw unknownWork(definition, pending)
      return runWork(work, actor, pending, clock, context)
    },
  }
}

function unknownWork({ type, performs = [] }: AnyActorDefinition, { work }: PendingWork) {
  const names = performs.map(({ name }) => name).join(', ')
  return new CairnError(
    'invalid-definition',
    `Actor type ${type} of this node performs ${names || 'nothing'}, and not ${show(work)}: the work waits for a node whose ` +
      'definition has it. Add it to performs again, until all of it has ended',
    { details: { type, work } },
  )
}

type AttemptEnd = { readonly result: unknown } | { readonly error: unknown }

function runWork(
  work: AnyWork,
  actor: ActorAddress,
  pending: PendingWork,
  clock: Pick<Clock, 'wait'>,
  ports: ChildContext,
): RunningChild {
  const { key, data } = pending
  const policy = retryPolicy(pending.retry, `work ${pending.work}`)
  const stopped = new AbortController()
  const { signal } = stopped
  /** The next attempt waits for a clock that a test moves. */
  let waitsForClock = false

  const attemptOnce = async (attempt: number): Promise<AttemptEnd> => {
    const { timeout = timeoutDefault } = pending
    const over = new AbortController()
    const timer =
      timeout === Infinity
        ? undefined
        : setTimeout(() => over.abort(lateAttempt(pending, timeout)), timeout)
    const context: WorkContext = {
      key,
      actor,
      attempt,
      isLastAttempt: attempt >= policy.attempts,
      signal: AbortSignal.any([signal, over.signal]),
    }
    try {
      const run = async () => work.run(detachPlain(data) as never, context)
      const result = await raceSignal(run(), context.signal)
      return context.signal.aborted
        ? { error: context.signal.reason as unknown }
        : { result }
    } catch (error) {
      return { error }
    } finally {
      clearTimeout(timer)
    }
  }

  const failedEnd = (
    thrown: unknown,
    attempts: number,
    reason: FailedWork['reason'],
  ): ChildEnd => {
    const failure: FailedWork = {
      work: pending.work,
      key,
      input: data,
      error: workError(thrown),
      attempts,
      reason,
    }
    return { command: pending.failed, data: failure }
  }

  const doneEnd = (result: unknown, attempts: number): ChildEnd => {
    const instead = (error: unknown) => failedEnd(error, attempts, 'invalid-result')
    try {
      const own = detach(result, `result of work ${show(pending.work)}`)
      return { command: pending.done, data: own, instead }
    } catch (error) {
      return instead(error) // RUN-WORK-3.
    }
  }

  const run = async () => {
    // The commit that asked for it goes first.
    await Promise.resolve()
    for (let attempt = 1; !signal.aborted; attempt++) {
      const ended = await attemptOnce(attempt)
      if (signal.aborted) return
      if ('result' in ended) return ports.end(doneEnd(ended.result, attempt))
      const next = afterFailure(policy, attempt, ended.error)
      ports.failed(`attempt ${attempt} at work ${show(pending.work)}`, ended.error)
      if (typeof next !== 'number')
        return ports.end(failedEnd(ended.error, attempt, next))
      waitsForClock = clock.wait !== undefined
      await (clock.wait?.(next, signal) ?? pause(next, signal))
      waitsForClock = false
    }
  }
  run().catch((error: unknown) => ports.failed('running work', error))
  return {
    get endsByItself() {
      return !waitsForClock
    },
    stop: () => stopped.abort(stoppedWork(pending)),
  }
}

/** What was thrown, as data. */
function workError(thrown: unknown): WorkError {
  const { name, message, code } = describedError(thrown)
  return { name, message, ...(code !== undefined && { code }) }
}

function lateAttempt({ work, key }: PendingWork, timeout: number): CairnError {
  return new CairnError(
    'deadline-exceeded',
    `An attempt at work ${show(work)} (${key}) was given up after ${timeout} ms. Give it more time with timeout.`,
    { details: { work, key, timeout } },
  )
}

function stoppedWork({ work, key }: PendingWork): CairnError {
  return new CairnError(
    'aborted',
    `Work ${show(work)} (${key}) was stopped on this node: it was cancelled or has ended, or another node takes it over.`,
    { details: { work, key } },
  )
}
