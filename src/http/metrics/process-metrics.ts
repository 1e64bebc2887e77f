// Metrics of the process, by the names that Prometheus' clients use.
//
// Owns the histogram of the event loop's delay. Its figures are those since the last scrape.

import { monitorEventLoopDelay } from 'node:perf_hooks'

import type { Family } from './exposition.js'

export interface ProcessMetrics {
  families(): readonly Family[]
  stop(): void
}

const nanoseconds = 1e-9
const microseconds = 1e-6

export function processMetrics(): ProcessMetrics {
  const startedAt = Date.now() / 1_000 - process.uptime()
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  return {
    families() {
      const { user, system } = process.cpuUsage()
      const { rss, heapUsed } = process.memoryUsage()
      // Without a measurement yet, the minimum is the largest number.
      const seconds = (value: number) =>
        delay.count === 0 ? 0 : Math.max(0, value * nanoseconds)
      const [p50, p99] = [seconds(delay.percentile(50)), seconds(delay.percentile(99))]
      const max = seconds(delay.max)
      delay.reset()
      return [
        {
          name: 'process_cpu_seconds_total',
          type: 'counter',
          help: 'CPU time of this process, user and system.',
          samples: [{ value: (user + system) * microseconds }],
        },
        gauge('process_resident_memory_bytes', 'Resident memory of this process.', rss),
        gauge(
          'process_start_time_seconds',
          'When this process started, since 1970.',
          startedAt,
        ),
        gauge(
          'nodejs_heap_size_used_bytes',
          'Memory of live JavaScript values.',
          heapUsed,
        ),
        gauge(
          'nodejs_eventloop_lag_p50_seconds',
          'Median delay of the event loop since the last scrape.',
          p50,
        ),
        gauge(
          'nodejs_eventloop_lag_p99_seconds',
          '99th percentile of the delay of the event loop since the last scrape.',
          p99,
        ),
        gauge(
          'nodejs_eventloop_lag_max_seconds',
          'Longest delay of the event loop since the last scrape.',
          max,
        ),
      ]
    },
    stop: () => delay.disable(),
  }
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, samples: [{ value }] }
}
