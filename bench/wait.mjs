// Waiting for a condition, with a deadline.
import { setTimeout as delay } from 'node:timers/promises'
import { processorTime } from './processes.mjs'

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
 * Resolves when neither this process nor the servers it has started have anything to do: a node that is
 * started on a long log reads it first, for whom it may concern, and what is measured meanwhile waits for that.
 *
 * @param {{ serverPids: readonly number[], timeout?: number, signal?: AbortSignal | undefined }} options
 */
export const untilIdle = ({ serverPids, timeout = 120_000, signal }) => {
  let before = performance.eventLoopUtilization()
  let servers = processorTime(serverPids)
  let since = performance.now()
  const isIdle = () => {
    const elapsed = performance.now() - since
    if (elapsed < 200) return false
    const { utilization } = performance.eventLoopUtilization(before)
    const used = processorTime(serverPids) - servers
    before = performance.eventLoopUtilization()
    servers += used
    since += elapsed
    return utilization < 0.1 && used / elapsed < 0.1
  }
  const what = 'this process and its servers are idle'
  return until(what, isIdle, { timeout, signal })
}
