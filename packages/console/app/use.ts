// Hooks that load from the API.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

import { type ApiError, get } from './api.ts'

export interface Loaded<T> {
  readonly value?: T
  readonly error?: ApiError
  readonly isLoading: boolean
  /** Loads again now. */
  reload(): void
}

/** Loads a path, and again each `every` ms while the page is seen. The last value stays while an error is shown. */
export function useApi<T>(path: string | undefined, every?: number): Loaded<T> {
  const [result, setResult] = useState<{ path?: string; value?: T; error?: ApiError }>({})
  const [round, setRound] = useState(0)
  useEffect(() => {
    if (path === undefined) return
    const ended = new AbortController()
    const load = async () => {
      if (document.hidden && round > 0) return
      try {
        const value = await get<T>(path, { signal: ended.signal })
        setResult({ path, value })
      } catch (error) {
        if (ended.signal.aborted) return
        setResult(({ path: of, value }) => ({
          path,
          error: error as ApiError,
          ...(of === path && value !== undefined && { value }),
        }))
      }
    }
    void load()
    const timer = every === undefined ? undefined : setInterval(() => void load(), every)
    return () => {
      ended.abort()
      clearInterval(timer)
    }
  }, [path, every, round])
  const reload = useCallback(() => setRound(now => now + 1), [])
  // A result of another path is not shown under this one.
  const own = result.path === path ? result : {}
  return {
    ...(own.value !== undefined && { value: own.value }),
    ...(own.error !== undefined && { error: own.error }),
    isLoading: own.value === undefined && own.error === undefined && path !== undefined,
    reload,
  }
}

/** The value as it was once it has not changed for `ms`. */
export function useSettled<T>(value: T, ms = 200): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}

/** The last value, for callbacks that live longer than a rendering. */
export function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value)
  ref.current = value
  return ref
}
