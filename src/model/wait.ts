// Waiting. Every wait ends: by its event, its signal or its deadline.

import { CairnError } from './errors.js'
import { offAbort, onAbort } from './on-abort.js'

export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(reason: unknown): void
}

/** A promise that is settled from outside. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

/** The error for work that was given up because the caller's signal fired. */
export function abortedError(signal: AbortSignal, doing: string): CairnError {
  return new CairnError('aborted', `Stopped ${doing}: the caller's signal was aborted.`, {
    cause: signal.reason,
  })
}

export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw abortedError(signal, doing)
}

/** Resolves after `ms`, or as soon as the signal fires. Never rejects: check the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      offAbort(signal, finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    onAbort(signal, finish)
  })
}

/** The longest wait of a timer in milliseconds: it fires at once after a longer one. */
export const timerMax = 2 ** 31 - 1

/** Settles like `promise`; throws `onTimeout`'s error after `ms` (`Infinity`: never), or `aborted` if the signal fires first. */
export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  onTimeout: () => Error,
  signal?: AbortSignal,
  doing = 'waiting',
): Promise<T> {
  if (signal?.aborted) {
    promise.catch(ignoreFailure)
    throw abortedError(signal, doing)
  }
  const gate = deferred<never>()
  const isEndless = ms === Infinity
  const timer = isEndless ? undefined : setTimeout(() => gate.reject(onTimeout()), ms)
  const giveUp = () => gate.reject(abortedError(signal!, doing))
  onAbort(signal, giveUp)
  try {
    return await Promise.race([promise, gate.promise])
  } finally {
    clearTimeout(timer)
    offAbort(signal, giveUp)
  }
}

/**
 * Runs work under a signal that fires when the caller's signal fires or the deadline passes. Throws
 * `onTimeout`'s error after `ms`, and `aborted` when the caller's signal fires.
 */
export async function bounded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  onTimeout: () => Error,
  signal: AbortSignal | undefined,
  doing: string,
): Promise<T> {
  throwIfAborted(signal, doing)
  const ended = new AbortController()
  try {
    return await withTimeout(work(ended.signal), ms, onTimeout, signal, doing)
  } finally {
    ended.abort()
  }
}

/** The caller has stopped waiting, so a failure no longer matters. */
function ignoreFailure(): void {}

/** Settles like `promise`, or resolves with `undefined` as soon as the signal fires. */
export async function raceSignal<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(ignoreFailure)
    return undefined
  }
  const gate = deferred<undefined>()
  const giveUp = () => gate.resolve(undefined)
  onAbort(signal, giveUp)
  try {
    return await Promise.race([promise, gate.promise])
  } finally {
    offAbort(signal, giveUp)
  }
}
