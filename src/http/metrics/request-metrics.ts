// What the HTTP door counts about its own requests.
//
// Owns the counts, by method, route and status: routes are those of the table, never paths, so their number is bounded.

import { Durations } from '../../model/durations.js'
import type { Family, Labels } from './exposition.js'
import { histogramSamples } from './histogram.js'

/** Upper bounds in seconds. */
const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

export class RequestMetrics {
  readonly #requests = new Map<string, { readonly labels: Labels; count: number }>()
  readonly #durations = new Map<
    string,
    { readonly labels: Labels; readonly durations: Durations }
  >()
  #streams = 0

  /** A request was answered. */
  onAnswered(method: string, route: string, status: number, seconds: number): void {
    const key = `${method} ${route}`
    const labels = { method, route }
    const statusKey = `${key} ${status}`
    const counter = this.#requests.get(statusKey) ?? {
      labels: { ...labels, status: String(status) },
      count: 0,
    }
    counter.count++
    this.#requests.set(statusKey, counter)
    const known = this.#durations.get(key) ?? { labels, durations: new Durations(bounds) }
    known.durations.add(seconds)
    this.#durations.set(key, known)
  }

  /** A stream of events was opened; the returned function is called when it ends. */
  onStream(): () => void {
    this.#streams++
    return () => void this.#streams--
  }

  families(): readonly Family[] {
    return [
      {
        name: 'cairn_http_requests_total',
        type: 'counter',
        help: 'HTTP requests that were answered, by method, route and status.',
        samples: [...this.#requests.values()].map(({ labels, count }) => ({
          labels,
          value: count,
        })),
      },
      {
        name: 'cairn_http_request_duration_seconds',
        type: 'histogram',
        help: 'Time until the answer to an HTTP request begins, by method and route.',
        samples: [...this.#durations.values()].flatMap(({ labels, durations }) => {
          const { counts, sum } = durations.stats()
          return histogramSamples(labels, bounds, counts, sum)
        }),
      },
      {
        name: 'cairn_http_streams',
        type: 'gauge',
        help: 'Streams of server-sent events that are open now.',
        samples: [{ value: this.#streams }],
      },
    ]
  }
}
