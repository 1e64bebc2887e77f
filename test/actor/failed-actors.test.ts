// Which residents have failed, as their host counts them.

import t from 'tap'

import { FailedActors } from '../../src/actor/failed-actors.js'

await t.test('FAILED-ACTORS-1 those that failed are counted by their phase', async t => {
  const phases = new Map<string, string>()
  const failed = new FailedActors(name => phases.get(name))
  for (const [name, phase] of [
    ['a', 'parked'],
    ['b', 'restarting'],
    ['c', 'running'],
    ['d', 'parked'],
  ] as const) {
    phases.set(name, phase)
    failed.add(name)
  }
  failed.add('left')
  t.strictSame(failed.counts(), { parked: 2, restarting: 1 })
  phases.set('b', 'parked')
  phases.delete('a')
  t.strictSame(failed.counts(), { parked: 2, restarting: 0 })
})

await t.test(
  'FAILED-ACTORS-2 names of actors that recovered or left do not pile up',
  async t => {
    let looks = 0
    const failed = new FailedActors(name => {
      looks++
      return name === 'x0' ? 'parked' : undefined
    })
    for (let i = 0; i < 100_000; i++) failed.add(`x${i}`)
    looks = 0
    t.strictSame(failed.counts(), { parked: 1, restarting: 0 })
    t.ok(looks <= 1_001, `${looks} names were kept`)
  },
)
