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

await t.test(
  'members that announce themselves are listed, sorted, each reported once',
  async t => {
    const roster = new Roster()
    const changes = watched(roster)
    for (const id of ['b', 'a', 'b', 'a']) roster.alive(member(id), 0)
    t.strictSame(idsOf(roster), ['a', 'b'])
    t.strictSame(changes, ['+b - x', '+a - x'])
  },
)

await t.test('ROSTER-2: a member without a sign of life is overdue', async t => {
  const roster = new Roster({ deadAfter: 100 })
  const changes = watched(roster)
  roster.alive(member('a'), 0)
  t.strictSame(roster.overdue(99), [])
  t.strictSame(roster.overdue(100), ['a'])
  roster.probeAnswered('a', 40)
  t.strictSame(roster.overdue(139), [], 'an answer to a probe counts as a heartbeat')
  t.strictSame(roster.overdue(140), ['a'])
  t.strictSame(changes, ['+a - x'], 'its owner removes it')
})

await t.test(
  'a member that was removed as dead returns with its next heartbeat',
  async t => {
    const roster = new Roster({ deadAfter: 100 })
    roster.alive(member('a'), 0)
    roster.dead('a')
    roster.alive(member('a'), 501)
    t.strictSame(idsOf(roster), ['a'])
  },
)

await t.test(
  'ROSTER-1: a restarted node replaces its predecessor, whose late messages are ignored',
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

await t.test('a member that leaves is not reported as dead', async t => {
  const roster = new Roster()
  for (const id of ['a', 'b']) roster.alive(member(id), 0)
  const changes = watched(roster)
  roster.left(member('a'))
  roster.dead('b')
  roster.dead('nobody')
  t.strictSame(changes, ['+ -a x', '+ -b xb'])
})

await t.test('restartTimeouts keeps members after a time without heartbeats', async t => {
  const roster = new Roster({ deadAfter: 100 })
  roster.alive(member('a'), 0)
  roster.restartTimeouts(1_000)
  t.strictSame(roster.overdue(1_099), [])
  t.strictSame(idsOf(roster), ['a'])
})
