import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { JetStreamPlace } from '../support/jetstream-fixture.js'
import { startNats } from '../support/nats.js'

// Whatever is on its way together rides together, were it only two commits.
await using server = await startNats({ syncInterval: 'always' })
await testEventStore(
  t,
  'JetStream, in groups, where the server waits for its disk',
  async () => new JetStreamPlace(server.url, {}, { groupCommit: 'on', groupMin: 2 }),
)
