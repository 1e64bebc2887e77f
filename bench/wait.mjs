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
