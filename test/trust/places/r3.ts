// Three servers in a cluster, each of which waits for its disk; streams have a replica on each.

import { startNatsCluster } from '../../support/nats.js'
import { lineTo } from './proxy-line.js'
import type { StartedPlace } from './started-place.js'

export async function startR3Place(): Promise<StartedPlace> {
  const cluster = await startNatsCluster(3, { syncInterval: 'always' })
  const direct = { kind: 'jetstream', servers: cluster.urls, replicas: 3 } as const
  return {
    place: 'r3',
    servers: cluster.servers,
    direct,
    disk: undefined,
    lineFor: () => lineTo(direct),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}
