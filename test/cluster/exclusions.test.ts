import t from 'tap'

import { excludedBy } from '../../src/cluster/exclusions.js'

const hosts = (ids: string) =>
  ids.split('').map(id => ({ id, types: ['account'], groups: ['reports'] }))

/** `ab-c` reads: a reports b and c. */
const excluded = (ids: string, ...reports: readonly string[]) => {
  const byReporter = new Map(
    reports.map(text => {
      const [reporter, reported] = text.split('-') as [string, string]
      return [reporter, reported.split('')]
    }),
  )
  return [...excludedBy(byReporter, hosts(ids))].toSorted().join('')
}

await t.test('without reports nobody is excluded', async t => {
  t.equal(excluded('abc'), '')
  t.equal(excluded('abc', 'a-x'), '', 'nor by reports on others')
})

await t.test('EXCLUSIONS-1: the end with more bad links is at fault', async t => {
  t.equal(excluded('abc', 'a-c', 'b-c'), 'c', 'nobody reaches it')
  t.equal(excluded('abc', 'c-ab'), 'c', 'it reaches nobody')
  t.equal(excluded('abc', 'c-ab', 'a-c'), 'c')
  t.equal(excluded('abc', 'a-b'), 'b', 'of two, that which is reported')
  t.equal(excluded('abc', 'b-a'), 'a')
  t.equal(excluded('abc', 'a-b', 'b-a'), 'b', 'or any, but the same on all nodes')
  t.equal(excluded('abcde', 'a-d', 'b-de', 'c-e', 'd-e'), 'de')
  t.equal(
    excluded('abcde', 'e-e', 'a-b'),
    'be',
    'those that report themselves come first',
  )
})

await t.test('EXCLUSIONS-2: at most a minority is excluded', async t => {
  t.equal(excluded('a', 'a-a'), '')
  t.equal(excluded('ab', 'a-b'), '')
  t.equal(excluded('abcd', 'a-bcd', 'b-acd', 'c-abd', 'd-abc').length, 1)
  t.equal(excluded('abc', 'a-a', 'b-b'), '', 'the server is at fault')
  t.equal(excluded('abcde', 'a-a', 'b-b'), 'ab')
})

await t.test('EXCLUSIONS-3: the last host of a type or a group stays', async t => {
  const [a, b, c] = hosts('abc')
  const members = [a!, b!, { ...c!, types: ['account', 'trip'] }]
  const reports = new Map([
    ['a', ['c']],
    ['b', ['c']],
  ])
  t.strictSame([...excludedBy(reports, members)], ['b'], 'its counterpart goes')
  t.strictSame([...excludedBy(new Map([['c', ['c']]]), members)], [])
  const { groups: _none, ...without } = b!
  t.strictSame([...excludedBy(reports, [{ ...a!, groups: [] }, without, c!])], ['b'])
})
