// A hundred machines with a delay each: how late a transition is when the owner is killed and the server
// restarted in between. Run by `npm run test:timers`.

import t from 'tap'

import { throughDeaths } from '../../multinode/deadline.js'
import { startNats } from '../../support/nats.js'

await using server = await startNats()

await t.test(
  'machines with a 3 s delay, their owner killed at 1 s, server restarted at 2 s: each transition happens once, at its deadline',
  async t => {
    const drifts = await throughDeaths(t, server, 100)
    const rank = (percent: number) =>
      drifts[Math.ceil((drifts.length * percent) / 100) - 1]!
    t.comment(
      `${drifts.length} transitions, after their deadlines by ${rank(50)} ms (p50), ${rank(99)} ms (p99)`,
    )
  },
)
