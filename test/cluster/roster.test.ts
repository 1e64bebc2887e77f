import t from 'tap'

import type { Member, MembershipChange } from '../../src/cluster/membership.js'
import { Roster } from '../../src/cluster/roster.js'

const member = (id: string, incarnation = 1): Member => ({
  id,
  types: ['account'],
  weight: 1,
  version: '0.0.0',
  incarnation,
  metadata: {},
})

function watched(roster: Roster): string[] {
  const changes: string[] = []
  const ids = (members: readonly Member[]) => members.map(({ id }) => id).join(',')
  roster.onChange(({ joined, left, dead }: MembershipChange) =>
    changes.push(`+${ids(joined)} -${ids(left)} x${ids(dead)}`),
  )
  return changes
}

const idsOf = (roster: Roster) => roster.members().map(({ id }) => id)

await t.test('members are those who were heard, sorted, each told of once', async t => {
  const roster = new Roster()
  const changes = watched(roster)
  for (const id of ['b', 'a', 'b', 'a']) roster.alive(member(id), 0)
  t.strictSame(idsOf(roster), ['a', 'b'])
  t.strictSame(changes, ['+b - x', '+a - x'])
})

await t.test('silence leads to a probe, and long silence to the end', async t => {
  const roster = new Roster({ silentAfter: 30, deadAfter: 100 })
  const changes = watched(roster)
  roster.alive(member('a'), 0)
  t.strictSame(roster.sweep(29), [])
  t.strictSame(roster.sweep(30), ['a'], 'silent for long enough to be probed')
  roster.probeAnswered('a', 40)
  t.strictSame(roster.sweep(69), [], 'an answer counts as a word')
  t.strictSame(roster.sweep(139), ['a'])
  t.strictSame(roster.sweep(140), [])
  t.strictSame(idsOf(roster), [])
  t.strictSame(changes, ['+a - x', '+ -a xa'])
})

await t.test('who was taken for dead is back with its next word', async t => {
  const roster = new Roster({ silentAfter: 30, deadAfter: 100 })
  roster.alive(member('a'), 0)
  roster.sweep(500)
  roster.alive(member('a'), 501)
  t.strictSame(idsOf(roster), ['a'])
})

await t.test(
  'a restarted node replaces its predecessor, whose late words count for nothing',
  async t => {
    const roster = new Roster()
    roster.alive(member('a', 1), 0)
    roster.alive(member('a', 2), 1)
    roster.alive(member('a', 1), 2)
    roster.left(member('a', 1))
    t.strictSame(roster.members(), [member('a', 2)])
    roster.left(member('a', 2))
    t.strictSame(roster.members(), [])
  },
)

await t.test('leaving is not dying', async t => {
  const roster = new Roster()
  for (const id of ['a', 'b']) roster.alive(member(id), 0)
  const changes = watched(roster)
  roster.left(member('a'))
  roster.dead('b')
  roster.dead('nobody')
  t.strictSame(changes, ['+ -a x', '+ -b xb'])
})

await t.test(
  'after a time in which nothing could be heard, nobody is blamed for silence',
  async t => {
    const roster = new Roster({ silentAfter: 30, deadAfter: 100 })
    roster.alive(member('a'), 0)
    roster.restartTimeouts(1_000)
    t.strictSame(roster.sweep(1_029), [])
    t.strictSame(idsOf(roster), ['a'])
  },
)
