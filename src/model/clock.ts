// Time is handed in, so that tests own it.

/** Where "now" comes from. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves `ms` later by this clock, or when the signal fires. Default: by the system's timers. */
  wait?(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = { now: () => Date.now() }
