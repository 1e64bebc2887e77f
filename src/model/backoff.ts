// Delays before what has failed is tried again.

/** How delays grow from attempt to attempt. */
export interface Backoff {
  /**
   * `exponential`: each delay is `factor` times the one before. `linear`: each is longer by `first`.
   * `fixed`: each is `first`. Default `exponential`.
   */
  readonly kind?: 'exponential' | 'linear' | 'fixed'
  /** Milliseconds before the second attempt. */
  readonly first: number
  /** Growth of an exponential backoff. */
  readonly factor: number
  /** Maximal delay, milliseconds. */
  readonly max: number
  /** The random part of a delay, 0 to 1: with 0.2 a delay is up to a fifth shorter. Default 0. */
  readonly jitter?: number
}

/** 100 ms, doubling, up to 30 s. */
export const backoffDefault: Backoff = { first: 100, factor: 2, max: 30_000 }

/** Milliseconds to wait after attempt number `attempts`, from 1, has failed. */
export function delayAfter(attempts: number, backoff: Backoff): number {
  const { jitter = 0, max } = backoff
  const delay = Math.min(max, unlimitedDelay(attempts, backoff))
  return jitter === 0 ? delay : Math.round(delay * (1 - jitter * Math.random()))
}

function unlimitedDelay(attempts: number, { kind, first, factor }: Backoff): number {
  if (kind === 'fixed') return first
  if (kind === 'linear') return first * attempts
  return first * factor ** Math.min(attempts - 1, 1_000)
}
