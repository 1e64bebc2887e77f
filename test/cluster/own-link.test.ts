import t from 'tap'

import { OwnLink } from '../../src/cluster/own-link.js'

/** Heartbeats every 10 ms in [from, to) that take `lag` ms to come back; `reads`: bytes arrive all the time. */
function run(
  link: OwnLink,
  [from, to]: readonly [number, number],
  { lag = 0, reads = true, comesBack = true } = {},
): void {
  for (let now = from; now < to; now += 10) {
    link.tick(reads ? now + 1 : from, now)
    if (comesBack && now - lag >= from) link.heard(now - lag, now)
  }
}

const make = () => new OwnLink({ limit: 100, every: 10 }, 0)

await t.test('OWN-LINK-1: the lag is how long a heartbeat takes', async t => {
  const link = make()
  run(link, [0, 100], { lag: 1 })
  t.equal(link.lag(91), 1)
  run(link, [100, 200], { lag: 60 })
  t.equal(link.lag(190), 60)
  t.equal(link.lag(260), 260 - 130 - 10, 'it grows while the next one is due')
  run(link, [260, 300])
  t.equal(link.lag(290), 0, 'and is over with the backlog')
})

await t.test('OWN-LINK-2: without its heartbeats a node judges nobody', async t => {
  const link = make()
  run(link, [0, 100])
  run(link, [100, 180], { comesBack: false })
  t.notOk(link.isSilent(180))
  t.ok(link.isSilent(190))
  link.restart(190)
  t.notOk(link.isSilent(280))
})

await t.test(
  'OWN-LINK-3: it is cut off if it reads nothing, and behind if it reads',
  async t => {
    const behind = make()
    run(behind, [0, 300], { comesBack: false })
    t.ok(behind.isSilent(300))
    t.notOk(behind.isCutOff(300), 'it has much to read')
    const cut = make()
    run(cut, [0, 100])
    run(cut, [100, 300], { comesBack: false, reads: false })
    t.ok(cut.isCutOff(300))
  },
)
