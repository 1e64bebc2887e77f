// The clock is a parameter, so that tests can control it.

/** A source of time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `ms` of this clock, or when the signal fires. Default: uses the system's timers. */
  wait?(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = { now: () => Date.now() }
