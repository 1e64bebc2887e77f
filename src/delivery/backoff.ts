// How long to wait before a failed record is tried again.

/** How waits grow from attempt to attempt. */
export interface Backoff {
  /**
   * `exponential`: each wait is `factor` times the one before. `linear`: each is `first` longer.
   * `fixed`: all are `first`. Default `exponential`.
   */
  readonly kind?: 'exponential' | 'linear' | 'fixed'
  /** Milliseconds before the second attempt. */
  readonly first: number
  /** Of an exponential one. */
  readonly factor: number
  /** Milliseconds, at most. */
  readonly max: number
  /** Which part of a wait is left to chance: with 0.2 it is up to a fifth shorter. Default 0. */
  readonly jitter?: number
}

/** A tenth of a second, doubling, up to half a minute. */
export const backoffDefault: Backoff = { first: 100, factor: 2, max: 30_000 }

/** Milliseconds to wait after the `attempts`th attempt has failed; from 1. */
export function delayAfter(attempts: number, backoff: Backoff): number {
  const { jitter = 0, max } = backoff
  const delay = Math.min(max, growing(attempts, backoff))
  return jitter === 0 ? delay : Math.round(delay * (1 - jitter * Math.random()))
}

function growing(attempts: number, { kind, first, factor }: Backoff): number {
  if (kind === 'fixed') return first
  if (kind === 'linear') return first * attempts
  return first * factor ** Math.min(attempts - 1, 1_000)
}
