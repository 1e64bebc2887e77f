import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { JetStreamPlace } from '../support/jetstream-fixture.js'
import { startNatsCluster } from '../support/nats.js'

await using cluster = await startNatsCluster()
await testEventStore(
  t,
  'JetStream with three replicas',
  async () => new JetStreamPlace(cluster.url, { replicas: 3 }),
)
