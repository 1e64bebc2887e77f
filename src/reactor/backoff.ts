// How long to wait before a failed record is tried again.

export interface Backoff {
  /** Milliseconds before the second attempt. */
  readonly first: number
  /** Each wait is so many times the one before. */
  readonly factor: number
  /** Milliseconds, at most. */
  readonly max: number
}

/** A tenth of a second, doubling, up to half a minute. */
export const backoffDefault: Backoff = { first: 100, factor: 2, max: 30_000 }

/** Milliseconds to wait after the `attempts`th attempt has failed; from 1. */
export function delayAfter(attempts: number, { first, factor, max }: Backoff): number {
  return Math.min(max, first * factor ** Math.min(attempts - 1, 1_000))
}
