// A hundred thousand events through a reactor in a storm: `npm run test:reactors`.

import t from 'tap'

import { newSeed } from '../../src/testing/random.js'
import { storm } from './storm.js'

const seed = Number(process.env.SEED ?? newSeed())
const timeout = 3_600_000
t.setTimeout(timeout * 2)

await t.test(`a hundred thousand events in a storm (SEED=${seed})`, async t => {
  await storm(t, { seed, events: 100_000, actors: 100, every: [2_000, 7_000], timeout })
})
