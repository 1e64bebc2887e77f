// Promises where a value is expected: functions of the user that must be synchronous may return one.

/**
 * True for a promise, or anything that behaves like one. What becomes of it is ignored then: its rejection must not end
 * the process.
 */
export function isIgnoredPromise(value: unknown): value is PromiseLike<unknown> {
  if (!isThenable(value)) return false
  value.then(undefined, () => {})
  return true
}

/** Calls a function whose result is not needed. What it throws, or rejects with, goes to `failed`. */
export function callHook(hook: () => unknown, failed: (error: unknown) => void): void {
  try {
    const result = hook()
    if (isThenable(result)) result.then(undefined, failed)
  } catch (error) {
    failed(error)
  }
}

/** True for a promise, or anything that behaves like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
