// W3C's `traceparent`, to a span's context and back. Cairn carries no `tracestate`.

import { isSpanContextValid, type SpanContext } from '@opentelemetry/api'

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** The context of a span in another process; `undefined` if the text is none. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  const [, version, traceId, spanId, flags, more] = pattern.exec(text ?? '') ?? []
  // Version 00 has four fields; a later one may have more.
  if (version === undefined || version === 'ff') return undefined
  if (version === '00' && more !== undefined) return undefined
  const context: SpanContext = {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: Number.parseInt(flags!, 16),
    isRemote: true,
  }
  return isSpanContextValid(context) ? context : undefined
}

export function toTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}
