import t from 'tap'

import { memory } from '../../src/backend/memory.js'
import { testNoticeBus } from '../contract/bus.js'

await testNoticeBus(t, 'memory', async () => ({ backend: memory() }))
