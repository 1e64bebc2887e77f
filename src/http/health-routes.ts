// /healthz, /readyz and /metrics.
//
// HEALTH-ROUTES-1. Requests for readiness that come at the same time share one check, so that a flood of them costs the
//     store one read at a time.

import { packageVersion } from '../runtime/package-version.js'
import type { NodeHealth } from '../runtime/health.js'
import type { Node } from '../runtime/node.js'
import type { App } from './app.js'
import { exposition, expositionType, type Family } from './metrics/exposition.js'
import { latencyFamily, nodeFamilies } from './metrics/node-metrics.js'
import { processMetrics } from './metrics/process-metrics.js'
import { RequestMetrics } from './metrics/request-metrics.js'

export interface HealthRoutes {
  readonly requests: RequestMetrics
  /** @param checkMetrics throws a problem for a request that may not see metrics. Default: anybody may. */
  addTo(app: App, checkMetrics?: (request: Request) => Promise<void>): void
  stop(): void
}

export function healthRoutes(of: {
  node(): Node | undefined
  isDraining(): boolean
}): HealthRoutes {
  const requests = new RequestMetrics()
  const process = processMetrics()
  let checking: Promise<NodeHealth> | undefined

  /** HEALTH-ROUTES-1. */
  async function check(node: Node): Promise<NodeHealth> {
    try {
      return await (checking ??= node.health())
    } finally {
      checking = undefined
    }
  }

  async function ready(): Promise<Response> {
    const node = of.node()
    if (node === undefined) return answer(503, { status: 'starting' })
    const { isReady, checks } = await check(node)
    if (of.isDraining()) {
      const accepting = { ok: false, reason: 'this node is closing' }
      return answer(503, { status: 'draining', checks: { ...checks, accepting } })
    }
    return isReady
      ? answer(200, { status: 'ready', checks })
      : answer(503, { status: checks.accepting.ok ? 'not-ready' : 'draining', checks })
  }

  function metrics(): Response {
    const node = of.node()
    const text = exposition([
      ...(node === undefined ? [] : familiesOf(node)),
      ...requests.families(),
      ...process.families(),
    ])
    return new Response(text, { headers: { 'content-type': expositionType } })
  }

  return {
    requests,
    addTo(app, checkMetrics) {
      app.get('/healthz', () => answer(200, { status: 'alive' }))
      app.get('/readyz', ready)
      app.get('/metrics', async ({ req }) => {
        await checkMetrics?.(req.raw)
        return metrics()
      })
    },
    stop: () => process.stop(),
  }
}

function answer(status: number, body: object): Response {
  return Response.json(body, { status })
}

function familiesOf(node: Node): readonly Family[] {
  const stats = node.stats()
  return [infoOf(node), ...nodeFamilies(stats), latencyFamily(stats)]
}

function infoOf({ id, namespace }: Node): Family {
  return {
    name: 'cairn_node_info',
    type: 'gauge',
    help: 'The node: its id, its namespace and the version of the package.',
    samples: [{ labels: { node: id, namespace, version: packageVersion }, value: 1 }],
  }
}
