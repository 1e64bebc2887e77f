import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { LmdbFixture } from '../support/lmdb-fixture.js'

await testEventStore(t, 'the embedded store', () => LmdbFixture.make())
