// The membership contract: one suite for every implementation of src/cluster/membership.ts.

import type { Test } from 'tap'

import type { Member, Membership } from '../../src/cluster/membership.js'
import { until } from '../support/wait.js'

export interface MembershipFixture extends AsyncDisposable {
  join(self?: Member): Promise<Membership>
}

const member = (id: string, types = ['account']): Member => ({
  id,
  types,
  weight: 2,
  version: '1.2.3',
  incarnation: Date.now(),
  metadata: { zone: 'eu-1' },
})

const sees = (membership: Membership, ...ids: string[]) =>
  until(
    () =>
      JSON.stringify(membership.members().map(({ id }) => id)) === JSON.stringify(ids),
    { describe: `the members are ${ids.join(', ')}` },
  )

/** Tests an implementation of the port. `make` gives each test its own namespace. */
export async function testMembership(
  t: Test,
  name: string,
  make: () => Promise<MembershipFixture>,
): Promise<void> {
  await t.test(`the membership contract, implemented by ${name}`, async t => {
    await t.test('members see each other and themselves with all properties', async t => {
      await using place = await make()
      const self = member('a')
      const a = await place.join(self)
      const b = await place.join(member('b', ['trip']))
      await sees(a, 'a', 'b')
      await sees(b, 'a', 'b')
      t.strictSame(
        b.members().find(({ id }) => id === 'a'),
        self,
      )
    })

    await t.test('MEMBERSHIP-4: a node that joins has the members at once', async t => {
      await using place = await make()
      const ids = (membership: Membership) => membership.members().map(({ id }) => id)
      t.strictSame(ids(await place.join()), [], 'an observer alone')
      const a = await place.join(member('a'))
      const b = await place.join(member('b', ['trip']))
      t.strictSame(ids(b), ['a', 'b'])
      t.strictSame(ids(await place.join()), ['a', 'b'], 'an observer')
      t.strictSame(ids(await place.join(member('c'))), ['a', 'b', 'c'])
      await sees(b, 'a', 'b', 'c')
      await a.leave()
      t.strictSame(ids(await place.join(member('d', ['trip']))), ['b', 'c', 'd'])
    })

    await t.test('an observer sees the members and is not one', async () => {
      await using place = await make()
      const a = await place.join(member('a'))
      const observer = await place.join()
      await sees(observer, 'a')
      await sees(a, 'a')
    })

    await t.test(
      'MEMBERSHIP-2: a node that leaves is removed by the others, and not reported as dead',
      async t => {
        await using place = await make()
        const a = await place.join(member('a'))
        const b = await place.join(member('b'))
        await sees(a, 'a', 'b')
        const deaths: string[] = []
        a.onChange(({ dead }) => deaths.push(...dead.map(({ id }) => id)))
        await b.leave()
        await sees(a, 'a')
        t.strictSame(deaths, [])
        await sees(b, 'a')
      },
    )

    await t.test(
      'MEMBERSHIP-1: listeners are called on every change until they are removed',
      async t => {
        await using place = await make()
        const a = await place.join(member('a'))
        const seen: string[] = []
        const remove = a.onChange(({ joined }) =>
          seen.push(...joined.map(({ id }) => id)),
        )
        await place.join(member('b'))
        await sees(a, 'a', 'b')
        remove()
        await place.join(member('c'))
        await sees(a, 'a', 'b', 'c')
        t.strictSame(seen, ['b'])
      },
    )

    t.comment(`the membership contract ran against ${name}`)
  })
}
