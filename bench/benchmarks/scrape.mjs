// A scrape of /metrics over HTTP, on a node that has 100,000 actors in memory.
import { startNode } from 'cairn-es'
import { httpHandler, serveHttp } from 'cairn-es/http'
import { counter } from '../actors.mjs'
import { verify } from '../benchmark.mjs'
import { counters } from '../counters.mjs'
import { backendAt, inFreshNamespace } from '../place.mjs'
import { percentile } from '../stats.mjs'

/** What the slowest scrape may take, in milliseconds, and the largest one have, in bytes. */
const allowed = { ms: 50, bytes: 200_000 }
/** Scrapes of a run. */
const scrapes = 50

/** @type {import('../benchmark.mjs').Benchmark} */
export const scrape = {
  name: 'scrape',
  unit: 'ms',
  goal: { atMost: 1 },
  about: `the slowest of ${scrapes} scrapes of a node with 100,000 actors in memory; baseline: ${allowed.ms} ms, the goal`,
  run: context =>
    inFreshNamespace(context, async ({ namespace }) => {
      const actors = counters(context.quick ? 10_000 : 100_000)
      const node = await startNode({
        namespace,
        store: backendAt(context),
        actors: [counter],
        residentsMax: actors.length,
        residentBytesMax: 2 ** 31,
      })
      const handler = await httpHandler(node)
      const server = await serveHttp(handler.metrics, { host: '127.0.0.1', port: 0 })
      try {
        context.progress(`waking ${actors.length} actors`)
        for (let i = 0; i < actors.length; i += 256)
          await Promise.all(
            actors.slice(i, i + 256).map(actor => node.ask(actor, 'add', { by: 1 })),
          )
        const { residents } = node.stats().actors
        verify(
          residents === actors.length,
          () => `${actors.length} actors were to be awake, and ${residents} are`,
        )
        const samples = []
        for (let run = 1; run <= context.runs && !context.signal.aborted; run++) {
          context.progress(`run ${run} of ${context.runs}`)
          const latencies = []
          let largest = 0
          for (let i = 0; i < scrapes; i++) {
            const startedAt = performance.now()
            const text = await (await fetch(`${server.url}/metrics`)).text()
            latencies.push(performance.now() - startedAt)
            largest = Math.max(largest, Buffer.byteLength(text))
          }
          verify(
            largest <= allowed.bytes,
            () => `a scrape has ${largest} bytes, and may have ${allowed.bytes}`,
          )
          samples.push({
            value: percentile(latencies, 100),
            baseline: allowed.ms,
            medians: { p50: percentile(latencies, 50), p99: percentile(latencies, 99) },
            maxima: { bytes: largest },
            sums: { verified: scrapes },
          })
        }
        return samples
      } finally {
        await server.close()
        handler.close()
        await node.close()
      }
    }),
}
