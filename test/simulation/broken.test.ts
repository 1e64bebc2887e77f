// Backends that are broken on purpose: the schedules detect each of them, and report the seed, which repeats it.

import t from 'tap'

import { backendOf, broken } from './broken-backend.js'
import { simulate } from './simulate.js'

const schedules = 30

t.setTimeout(120_000)

for (const [fault, { make, breaks }] of Object.entries(broken))
  void t.test(`the simulation detects ${fault}`, async t => {
    let found: string | undefined
    for (let seed = 1; seed <= schedules && found === undefined; seed++) {
      const run = () =>
        simulate(seed, { store: make(), steps: 25 }).then(
          () => '',
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        )
      const message = await run()
      if (!breaks.test(message)) continue
      found = message
      t.match(message, `Repeat with seed ${seed}.`)
      t.equal(await run(), message, 'repeated, it is the same fault')
    }
    t.ok(found, `one of ${schedules} schedules breaks ${breaks}`)
    t.comment(found)
  })

void t.test(
  'the simulation finds no fault in the same backend without a fault',
  async t => {
    for (let seed = 1; seed <= 5; seed++)
      await simulate(seed, { store: backendOf({}), steps: 25 })
    t.pass('five schedules hold')
  },
)
