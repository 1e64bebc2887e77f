// Waiting: every wait here ends, by its event, its signal or its deadline.

import { CairnError } from './errors.js'

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

/** The error for work given up because its caller's signal fired. */
export function abortedError(signal: AbortSignal, doing: string): CairnError {
  return new CairnError('aborted', `Stopped ${doing}: the caller's signal was aborted.`, {
    cause: signal.reason,
  })
}

export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) throw abortedError(signal, doing)
}

/** Resolves after `ms`, or as soon as the signal fires (never rejects: look at the signal). */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** `promise`, or `onTimeout`'s error after `ms`, or `aborted` when the signal fires first. */
export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  onTimeout: () => Error,
  signal?: AbortSignal,
  doing = 'waiting',
): Promise<T> {
  if (signal?.aborted) {
    promise.catch(forgotten)
    throw abortedError(signal, doing)
  }
  const gate = deferred<never>()
  const timer = setTimeout(() => gate.reject(onTimeout()), ms)
  const onAbort = () => gate.reject(abortedError(signal!, doing))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, gate.promise])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/**
 * Runs work under a signal that fires with the caller's and at the deadline: `onTimeout`'s error
 * after `ms`, `aborted` when the caller's signal fires.
 */
export async function bounded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  onTimeout: () => Error,
  signal: AbortSignal | undefined,
  doing: string,
): Promise<T> {
  throwIfAborted(signal, doing)
  const over = new AbortController()
  try {
    return await withTimeout(work(over.signal), ms, onTimeout, signal, doing)
  } finally {
    over.abort()
  }
}

/** The caller has moved on before it began to wait: a failure concerns nobody any more. */
function forgotten(): void {}

/** `promise`, or `undefined` as soon as the signal fires. */
export async function raceSignal<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(forgotten)
    return undefined
  }
  const gate = deferred<undefined>()
  const onAbort = () => gate.resolve(undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, gate.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
