// Waiting for a condition instead of for an amount of time.
import { inspect } from 'node:util'

export interface UntilOptions {
  /** Milliseconds after which the wait fails. Default 10,000. */
  readonly timeout?: number
  /** Milliseconds between two attempts. Default 10. */
  readonly interval?: number
  /** What is waited for, for the error. Default: the condition's source. */
  readonly describe?: string
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Resolves with the first truthy value of the condition. A condition that throws has not
 * come true yet; one that does not answer in time has failed like one that stays falsy.
 *
 * @throws Error when time is up: it says what was waited for and what was last seen
 */
export const until = async <T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | 0 | 0n | '' | null | undefined>> => {
  const { timeout = 60_000, interval = 10, signal } = options
  const describe = options.describe ?? condition.toString()
  let last = 'it never answered'
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  let abort = () => {}
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(new Error(`not within ${timeout} ms: ${describe}; last seen: ${last}`)),
      timeout,
    )
    abort = () => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted === true) abort()
  })
  const poll = async () => {
    while (!isOver) {
      try {
        const value = await condition()
        if (value) return value as Exclude<T, false | 0 | 0n | '' | null | undefined>
        last = inspect(value, { depth: 4 })
      } catch (error) {
        last = `it threw ${inspect(error)}`
      }
      await new Promise(resolve => setTimeout(resolve, interval))
    }
    return limit
  }
  try {
    return await Promise.race([poll(), limit])
  } finally {
    isOver = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}
