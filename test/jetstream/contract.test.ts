import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { JetStreamPlace } from '../support/jetstream-fixture.js'
import { startNats } from '../support/nats.js'

await using server = await startNats()
await testEventStore(t, 'JetStream', async () => new JetStreamPlace(server.url))
