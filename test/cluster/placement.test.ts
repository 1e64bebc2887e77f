import t from 'tap'

import type { ActorAddress } from '../../src/model/address.js'
import { type Candidate, ownerOf } from '../../src/cluster/placement.js'

const node = (id: string, weight = 1, types = ['account']): Candidate => ({
  id,
  weight,
  types,
})
const actors: ActorAddress[] = Array.from({ length: 20_000 }, (_, i) => ({
  type: 'account',
  id: `customer-${i}`,
}))
const owners = (members: readonly Candidate[]) =>
  actors.map(actor => ownerOf(actor, members)?.id)

const countBy = (ids: readonly (string | undefined)[]) => {
  const counts = new Map<string | undefined, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

await t.test(
  'members share the actors evenly, even if their ids differ in one character',
  async t => {
    for (const size of [2, 3, 5, 10]) {
      const members = Array.from({ length: size }, (_, i) => node(`node-${i}`))
      const counts = countBy(owners(members))
      const fair = actors.length / size
      for (const { id } of members) {
        const share = (counts.get(id) ?? 0) / fair
        t.ok(
          share > 0.9 && share < 1.1,
          `${id} of ${size} has ${share.toFixed(3)} of a fair share`,
        )
      }
    }
  },
)

await t.test(
  'a member that joins N others takes about 1/(N+1) of the actors, and no other actor moves',
  async t => {
    for (const size of [1, 3, 7]) {
      const before = Array.from({ length: size }, (_, i) => node(`n${i}`))
      const joined = [...before, node('newcomer')]
      const [from, to] = [owners(before), owners(joined)]
      const moved = from.filter((id, i) => id !== to[i]).length
      const elsewhere = to.filter((id, i) => id !== from[i] && id !== 'newcomer').length
      t.equal(elsewhere, 0, 'an actor that moves, moves to the newcomer')
      const share = moved / actors.length / (1 / (size + 1))
      t.ok(share > 0.9 && share < 1.1, `${moved} moved: ${share.toFixed(3)} of 1/(N+1)`)
    }
  },
)

await t.test('a member that leaves moves only its own actors', async t => {
  const members = ['a', 'b', 'c', 'd'].map(id => node(id))
  const [from, to] = [owners(members), owners(members.slice(1))]
  t.ok(from.every((id, i) => id === 'a' || id === to[i]))
  t.notOk(to.includes('a'))
})

await t.test('a weight of 3 gets three times the actors', async t => {
  const counts = countBy(owners([node('light'), node('heavy', 3)]))
  const ratio = counts.get('heavy')! / counts.get('light')!
  t.ok(ratio > 2.7 && ratio < 3.3, `ratio ${ratio.toFixed(2)}`)
})

await t.test('only members that host the type are candidates', async t => {
  const members = [node('a', 1, ['trip']), node('b', 1, ['trip', 'account'])]
  t.strictSame([...countBy(owners(members)).keys()], ['b'])
  t.equal(ownerOf({ type: 'invoice', id: '1' }, members), undefined)
  t.equal(ownerOf({ type: 'account', id: '1' }, []), undefined)
})

await t.test('the order of the members does not matter', async t => {
  const members = ['a', 'b', 'c', 'd', 'e'].map(id => node(id))
  t.strictSame(owners(members.toReversed()), owners(members))
})
