import t from 'tap'

import { testEventStore } from '../contract/store.js'
import { LmdbPlace } from '../support/lmdb-place.js'

await testEventStore(t, 'the embedded store', () => LmdbPlace.make())
