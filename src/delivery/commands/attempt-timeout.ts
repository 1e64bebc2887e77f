// How long one attempt to deliver a command may take, by the inbox and the due timers.

/** Milliseconds for the first attempt; each further one gets that much more. */
const step = 30_000
const max = 600_000

export function attemptTimeoutOf(attempt: number): number {
  return Math.min(max, step * attempt)
}
