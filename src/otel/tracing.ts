// Spans of OpenTelemetry, from the tracing channels.
//
// Owns the spans that are open, by the contexts of their operations.
// OTEL-1. A span ends once: when its operation has ended.
// OTEL-2. The parent is the span that `traceparent` names, in whatever process. What the application calls is a child of
//     the active span instead, if that is in the same trace or no `traceparent` is given. Deliveries never are: they
//     run in whatever context their loops were started in.
// OTEL-3. A failure of the tracer is reported to OpenTelemetry's `diag`, and affects no operation: what a subscriber
//     throws would end the process.

import {
  context as contextApi,
  type Context,
  diag,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace as traceApi,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api'
import { tracingChannel, type TracingChannelSubscribers } from 'node:diagnostics_channel'

import { checkOptions } from '../model/check-options.js'
import { isCairnError, messageOf } from '../model/errors.js'
import type { TraceContext, TraceName } from '../model/trace.js'
import { checkProvider } from './check-provider.js'
import { conventions, own } from './conventions.js'
import { resultAttributes, type SpanOf, spans } from './spans.js'
import { parseTraceparent, toTraceparent } from './traceparent.js'

export interface TracingOptions {
  /** Makes the spans. Default: the global one, which the SDK registers. */
  readonly tracerProvider?: TracerProvider | undefined
}

export interface Tracing extends Disposable {
  /** Makes no more spans. Those that are open end with their operations. */
  stop(): void
}

/**
 * Makes spans of what the nodes of this process do, and links them over processes: call it once in each, after the SDK is
 * registered. Spans, names and attributes are listed in docs/tracing.md. Throws `invalid-option`.
 */
export function startTracing(options: TracingOptions = {}): Tracing {
  checkOptions('startTracing', options, { tracerProvider: true })
  checkProvider('tracerProvider of startTracing', options.tracerProvider, 'getTracer')
  const tracer = (options.tracerProvider ?? traceApi).getTracer('cairn-es')
  const stops = (Object.keys(spans) as TraceName[]).map(name => subscribe(name, tracer))
  let isStopped = false
  const stop = () => {
    if (isStopped) return
    isStopped = true
    for (const each of stops) each()
  }
  return { stop, [Symbol.dispose]: stop }
}

function subscribe(name: TraceName, tracer: Tracer): () => void {
  const channel = tracingChannel<unknown, TraceContext>(name)
  const open = new WeakMap<TraceContext, Span>()
  // Each channel has contexts of its own type.
  const spanOf = spans[name] as SpanOf<TraceContext>
  let isStopping = false

  const start = (traced: TraceContext) => {
    if (isStopping) return
    const parent = parentOf(traced, spanOf.isCalled)
    const span = tracer.startSpan(
      spanOf.name(traced),
      {
        kind: spanOf.kind,
        attributes: {
          [own.namespace]: traced.namespace || undefined,
          [own.node]: traced.nodeId,
          ...spanOf.attributes(traced),
        },
        links: linksOf(traced),
      },
      parent,
    )
    open.set(traced, span)
    const spanContext = span.spanContext()
    // Without an SDK the span is the parent itself, or none.
    if (parseTraceparent(toTraceparent(spanContext)) !== undefined)
      traced.traceparent = toTraceparent(spanContext)
    const active = traceApi.setSpan(parent, span)
    traced.run = work => contextApi.with(active, work)
  }
  const end = (traced: TraceContext) => {
    const span = open.get(traced)
    if (span === undefined || !open.delete(traced)) return
    if (traced.error === undefined) span.setAttributes(resultAttributes(traced.result))
    else fail(span, traced.error)
    span.end()
  }
  const isSync = name === 'cairn:decide'
  const subscribers: TracingChannelSubscribers<TraceContext> = {
    start: guarded(start),
    // A decision of another process ends later: its context has neither result nor error yet.
    end: guarded((traced: TraceContext) => {
      if (isSync && (traced.result !== undefined || traced.error !== undefined))
        end(traced)
    }),
    asyncStart: () => {},
    asyncEnd: guarded(end),
    error: () => {},
  }
  channel.subscribe(subscribers)
  return () => {
    isStopping = true
    channel.unsubscribe(subscribers)
  }
}

/** OTEL-2. */
function parentOf({ traceparent }: TraceContext, isCalled: boolean): Context {
  const given = parseTraceparent(traceparent)
  if (isCalled) {
    const active = contextApi.active()
    const traceId = traceApi.getSpanContext(active)?.traceId
    if (given === undefined || traceId === given.traceId) return active
  }
  if (given === undefined) return ROOT_CONTEXT
  return traceApi.setSpanContext(ROOT_CONTEXT, given)
}

/** To the commands that share the commit of the first. */
function linksOf(traced: TraceContext & { readonly traceparents?: unknown }): Link[] {
  const { traceparents = [] } = traced as { readonly traceparents?: readonly string[] }
  return traceparents.slice(1).flatMap(text => {
    const context = parseTraceparent(text)
    return context === undefined ? [] : [{ context }]
  })
}

function fail(span: Span, error: unknown): void {
  const message = messageOf(error)
  const type = isCairnError(error) ? error.code : nameOf(error)
  span.setAttribute(conventions.ERROR_TYPE, type)
  span.recordException({ name: type, message })
  span.setStatus({ code: SpanStatusCode.ERROR, message })
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '_OTHER'
}

/** OTEL-3. */
function guarded<Args extends readonly unknown[]>(
  subscriber: (...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      subscriber(...args)
    } catch (error) {
      diag.error(`A span of Cairn could not be made: ${messageOf(error)}`)
    }
  }
}
