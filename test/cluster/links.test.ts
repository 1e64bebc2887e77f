import t from 'tap'

import { Links } from '../../src/cluster/links.js'

const [a, b] = ['a', 'b'].map(id => ({ id, incarnation: 1 })) as [Peer, Peer]
type Peer = { readonly id: string; readonly incarnation: number }

const make = () => new Links({ limit: 100, deadAfter: 300, gap: 25 })

/** Heartbeats and probes every 10 ms in [from, to); answers follow after 1 ms if it is answered. */
function run(
  links: Links,
  peer: Peer,
  [from, to]: readonly [number, number],
  { heard = true, answered = true } = {},
): void {
  for (let now = from; now < to; now += 10) {
    links.sweep(now)
    if (heard) links.heard(peer, now)
    links.asked(peer, now)
    if (answered) links.answered(peer, now, now + 1)
  }
}

await t.test(
  'LINKS-1: a member whose heartbeats arrive and that answers nothing',
  async t => {
    const links = make()
    run(links, b, [0, 200])
    run(links, a, [0, 200])
    run(links, a, [200, 300], { answered: false })
    t.notOk(links.isDown(a))
    run(links, a, [300, 311], { answered: false })
    t.ok(links.isDown(a))
    t.notOk(links.isDown(b))
  },
)

await t.test('LINKS-1: one that sends no heartbeats is busy, for a while', async t => {
  const links = make()
  run(links, a, [0, 100])
  run(links, a, [100, 300], { heard: false, answered: false })
  t.notOk(links.isDown(a))
  run(links, a, [300, 350], { answered: false })
  t.notOk(links.isDown(a), 'it goes on, and has not answered everything yet')
  links.answered(a, 340, 351)
  run(links, a, [360, 500])
  t.notOk(links.isDown(a))
  run(links, a, [500, 820], { heard: false, answered: false })
  t.ok(links.isDown(a), 'after deadAfter in any case')
})

await t.test(
  'LINKS-1: a slow answer is none, and a later one stands for all',
  async t => {
    const slow = make()
    for (let now = 0; now < 500; now += 10) {
      slow.sweep(now)
      slow.heard(a, now)
      slow.asked(a, now)
      if (now >= 150) slow.answered(a, now - 150, now)
    }
    t.ok(slow.isDown(a))
    const lossy = make()
    run(lossy, a, [0, 95], { answered: false })
    run(lossy, a, [100, 110])
    run(lossy, a, [110, 200], { answered: false })
    t.notOk(lossy.isDown(a))
  },
)

await t.test('LINKS-1: a node that is late for all messages is busy', async t => {
  for (const [ownLag, lag] of [
    [0, 150],
    [150, 0],
    [70, 80],
  ] as const) {
    const links = make()
    for (let now = 0; now < 1_000; now += 10) {
      links.sweep(now, ownLag)
      links.heard(a, now, lag)
      links.asked(a, now)
      if (now >= 200) links.answered(a, now - 200, now, { ownLag })
    }
    t.notOk(links.isDown(a), `${ownLag} ms late, and ${lag} ms late`)
    for (let now = 1_000; now < 1_500; now += 10) {
      links.sweep(now, ownLag)
      links.heard(a, now, lag)
      links.asked(a, now)
    }
    t.ok(links.isDown(a), 'the time has an end')
  }
  const late = make()
  for (let now = 0; now < 700; now += 10) {
    late.sweep(now, 10_000)
    late.heard(a, now, 10_000)
    late.asked(a, now)
  }
  t.ok(late.isDown(a), 'at most `deadAfter` is added')
})

await t.test('LINKS-1: nobody received it', async t => {
  const links = make()
  run(links, a, [0, 100])
  links.refused(a, 100)
  t.ok(links.isDown(a))
  links.heard(a, 105)
  t.ok(links.isDown(a), 'a heartbeat does not prove the link')
  links.answered(a, 90, 106)
  t.ok(links.isDown(a), 'nor does an answer to an earlier probe')
  run(links, a, [110, 120])
  t.notOk(links.isDown(a))
  links.notSent(b, 0)
  links.asked(b, 0)
  links.notSent(b, 0)
  links.sweep(1_000)
  t.notOk(links.isDown(b), 'a probe that was not sent is not unanswered')
})

await t.test('LINKS-2: a link that flaps is up ever more rarely', async t => {
  const links = make()
  let now = 0
  const downFor: number[] = []
  for (let flap = 0; flap < 5; flap++) {
    for (; !links.isDown(a); now += 10)
      run(links, a, [now, now + 10], { answered: false })
    const lostAt = now
    for (; links.isDown(a); now += 10) run(links, a, [now, now + 10])
    downFor.push(now - lostAt)
  }
  t.strictSame(downFor, [10, 110, 210, 410, 810])
  run(links, a, [now, now + 61_000])
  now += 61_000
  links.lost(a, now)
  run(links, a, [now + 10, now + 20])
  t.notOk(links.isDown(a), 'after a minute without a loss it counts as stable')
})

await t.test('LINKS-2: answers must not stop while it is proven', async t => {
  const links = make()
  for (const at of [0, 100]) {
    links.lost(a, at)
    run(links, a, [at + 10, at + 90])
  }
  t.ok(links.isDown(a), 'the second loss takes 100 ms of answers')
  run(links, a, [190, 310], { answered: false })
  run(links, a, [310, 400])
  t.ok(links.isDown(a), 'they begin anew')
  run(links, a, [400, 420])
  t.notOk(links.isDown(a))
})

await t.test('LINKS-3: what was asked before a restart counts no more', async t => {
  const links = make()
  run(links, a, [0, 90], { answered: false })
  links.restart()
  run(links, a, [90, 180], { answered: false })
  t.notOk(links.isDown(a))
})

await t.test('LINKS-4: a restarted member has a new link', async t => {
  const links = make()
  links.lost(a, 0)
  const restarted = { ...a, incarnation: 2 }
  t.notOk(links.isDown(restarted))
  links.asked(restarted, 10)
  links.answered(a, 10, 11)
  t.notOk(links.isDown(restarted))
  for (let i = 0; i < 1_000; i++) links.lost({ id: `n${i}`, incarnation: 1 }, 20)
  t.notOk(links.isDown(a), 'the oldest is forgotten')
  t.ok(links.isDown({ id: 'n999', incarnation: 1 }))
})
