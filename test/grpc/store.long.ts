import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { JetStreamPlace } from '../support/jetstream-fixture.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'
import { startNats } from '../support/nats.js'
import { behindDoor } from '../support/remote-store.js'

await using server = await startNats()
await testEventStore(t, 'JetStream behind a door', () =>
  behindDoor(new JetStreamPlace(server.url)),
)
await testEventStore(t, 'the embedded store behind a door', async () =>
  behindDoor(await LmdbFixture.make()),
)
