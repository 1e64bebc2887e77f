// The metrics of a node for OpenTelemetry, by the names of /metrics.

import {
  type BatchObservableResult,
  diag,
  type MeterProvider,
  metrics as metricsApi,
  type Observable,
} from '@opentelemetry/api'

import { nodeFamilies, nodeMetrics } from '../http/metrics/node-metrics.js'
import { checkOptions } from '../model/check-options.js'
import { CairnError, messageOf } from '../model/errors.js'
import { show } from '../model/show.js'
import type { Node } from '../runtime/node.js'
import { checkProvider } from './check-provider.js'

export interface MetricsOptions {
  /** Default: the global one, which the SDK registers. */
  readonly meterProvider?: MeterProvider | undefined
}

export interface Metrics extends Disposable {
  /** Observes the node no more. Call it when the node closes. */
  stop(): void
}

/**
 * Lets OpenTelemetry's readers observe a node. The names are those of `/metrics` (docs/metrics.md); each value has the
 * attributes `node` and `namespace` beside its labels. An observation reads nothing from the store. Throws
 * `invalid-option`.
 */
export function startMetrics(
  node: Pick<Node, 'id' | 'namespace' | 'stats'>,
  options: MetricsOptions = {},
): Metrics {
  if (typeof (node as Partial<Node> | undefined)?.stats !== 'function')
    throw new CairnError(
      'invalid-option',
      `startMetrics has ${show(node)} as its node: pass what startNode returns, startMetrics(node).`,
    )
  checkOptions('startMetrics', options, { meterProvider: true })
  checkProvider('meterProvider of startMetrics', options.meterProvider, 'getMeter')
  const meter = (options.meterProvider ?? metricsApi).getMeter('cairn-es')
  const about = { node: node.id, namespace: node.namespace }
  const observables = new Map<string, Observable>(
    nodeMetrics.map(({ name, type, help: description }) => [
      name,
      type === 'counter'
        ? meter.createObservableCounter(name, { description })
        : meter.createObservableGauge(name, { description }),
    ]),
  )
  const observe = (result: BatchObservableResult) => {
    try {
      for (const { name, samples } of nodeFamilies(node.stats()))
        for (const { labels, value } of samples)
          result.observe(observables.get(name)!, value, { ...labels, ...about })
    } catch (error) {
      diag.error(`The metrics of node ${node.id} could not be read: ${messageOf(error)}`)
    }
  }
  const all = [...observables.values()]
  meter.addBatchObservableCallback(observe, all)
  const stop = () => meter.removeBatchObservableCallback(observe, all)
  return { stop, [Symbol.dispose]: stop }
}
