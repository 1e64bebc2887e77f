// P7 through processes that die: events through a reactor in a small storm. `npm run test:reactors` is the
// large one.

import t from 'tap'

import { newSeed } from '../../src/testing/random.js'
import { storm } from './storm.js'

const seed = Number(process.env.SEED ?? newSeed())
const timeout = 120_000
t.setTimeout(timeout * 2)

await t.test(
  `P7 each event is handled, in order and once, in a storm (SEED=${seed})`,
  async t => {
    await storm(t, { seed, events: 2_500, actors: 40, every: [300, 900], timeout })
  },
)
