// What each call of the door has: its signal, and the time that is left to it.

import type { HandlerContext } from '@connectrpc/connect'

/** Milliseconds of a call that its own answer takes: the node's error says more than the end of the call. */
const answerTime = 50

/** Bounds for a call of the node. Without a deadline, the node's own default applies. */
export function boundsOf(context: HandlerContext): {
  readonly signal: AbortSignal
  readonly timeout?: number
} {
  const { signal } = context
  const left = context.timeoutMs()
  if (left === undefined) return { signal }
  return {
    signal,
    timeout: Math.max(1, Math.min(2 ** 31 - 1, Math.floor(left) - answerTime)),
  }
}
