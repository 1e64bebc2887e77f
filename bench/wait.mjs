// Waiting for a condition, with a deadline.
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Resolves when the condition is true; rejects when it throws, when time is up, or with the
 * signal's reason.
 *
 * @param {string} what for the error: "the caller sees 3 nodes"
 * @param {() => boolean | Promise<boolean>} condition
 * @param {{ timeout?: number, signal?: AbortSignal | undefined }} [options] `timeout` in
 *   milliseconds, default 30,000
 */
export const until = async (what, condition, { timeout = 30_000, signal } = {}) => {
  const deadline = performance.now() + timeout
  while (!(await condition())) {
    signal?.throwIfAborted()
    if (performance.now() > deadline)
      throw new Error(`not within ${timeout} ms: ${what}. Is the machine overloaded?`)
    await delay(5, undefined, { signal })
  }
}

/**
 * Resolves when this process has nothing to do: a node that is started on a long log reads it first,
 * for whom it may concern, and what is measured meanwhile waits for that.
 *
 * @param {{ timeout?: number, signal?: AbortSignal | undefined }} [options]
 */
export const untilIdle = (options = {}) => {
  let before = performance.eventLoopUtilization()
  let since = performance.now()
  const isIdle = () => {
    if (performance.now() - since < 200) return false
    const { utilization } = performance.eventLoopUtilization(before)
    before = performance.eventLoopUtilization()
    since = performance.now()
    return utilization < 0.1
  }
  return until('this process is idle', isIdle, { timeout: 120_000, ...options })
}
