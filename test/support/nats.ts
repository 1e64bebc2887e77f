// Real NATS for the tests: one server, or a cluster of them.
export { startNatsCluster } from './nats/cluster.js'
export { startNats } from './nats/server.js'
export type { NatsServer } from './nats/server.js'
