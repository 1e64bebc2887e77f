// Time is handed in, so that tests own it.

/** Where "now" comes from. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }
