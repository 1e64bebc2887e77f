// The door `cairn-es/otel`: traces and metrics for OpenTelemetry. It needs the package `@opentelemetry/api`.

export { startTracing, type Tracing, type TracingOptions } from '../otel/tracing.js'
export { type Metrics, type MetricsOptions, startMetrics } from '../otel/metrics.js'
