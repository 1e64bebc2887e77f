// Listening to a signal that many calls share, such as the one of a request or of a shutdown.
//
// ON-ABORT-1. However many listen, a signal has one listener of Cairn's, so that Node warns of no leak; it is removed
//     with the last of them. Nothing is kept of a signal to which nobody listens.

interface Listening {
  readonly listeners: Set<() => void>
  readonly notify: () => void
}

const listening = new WeakMap<AbortSignal, Listening>()

/** Calls the listener once when the signal fires. Does nothing without a signal. */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): void {
  if (signal === undefined) return
  const known = listening.get(signal)
  if (known !== undefined) return void known.listeners.add(listener)
  const listeners = new Set([listener])
  const notify = () => {
    listening.delete(signal)
    for (const one of listeners) one()
  }
  listening.set(signal, { listeners, notify })
  signal.addEventListener('abort', notify, { once: true })
}

/** Removes a listener of {@link onAbort}. */
export function offAbort(signal: AbortSignal | undefined, listener: () => void): void {
  const known = signal && listening.get(signal)
  if (signal === undefined || known === undefined) return
  known.listeners.delete(listener)
  if (known.listeners.size > 0) return
  signal.removeEventListener('abort', known.notify)
  listening.delete(signal)
}
