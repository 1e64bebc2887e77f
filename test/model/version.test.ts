import t from 'tap'

import {
  checkCount,
  checkExpectedVersion,
  type ExpectedVersion,
  isCount,
  meetsExpectation,
} from '../../src/model/version.js'

await t.test('which versions meet which expectations', async t => {
  const cases: [ExpectedVersion, number[], number[]][] = [
    [0, [0], [1, 2]],
    ['none', [0], [1, 2]],
    [2, [2], [0, 1, 3]],
    ['exists', [1, 2, 99], [0]],
    ['any', [0, 1, 99], []],
  ]
  for (const [expected, met, unmet] of cases) {
    for (const actual of met) t.ok(meetsExpectation(expected, actual))
    for (const actual of unmet) t.notOk(meetsExpectation(expected, actual))
  }
})

await t.test('invalid expectations are errors', async t => {
  for (const good of [0, 1, 2 ** 53 - 1, 'none', 'exists', 'any'] as const)
    t.equal(checkExpectedVersion(good), good)
  for (const bad of [-1, 1.5, NaN, Infinity, 2 ** 53, '1', '', 'None', null, {}])
    t.throws(() => checkExpectedVersion(bad as ExpectedVersion), {
      code: 'invalid-option',
    })
})

await t.test('counts are whole numbers from 0', async t => {
  for (const good of [0, 1, 2 ** 53 - 1]) {
    t.ok(isCount(good))
    t.equal(checkCount('after', good), good)
  }
  for (const bad of [-1, 0.5, NaN, Infinity, 2 ** 53, '1', null, undefined, 1n]) {
    t.notOk(isCount(bad))
    t.throws(() => checkCount('after', bad), {
      code: 'invalid-option',
      message: /^after is /,
    })
  }
})
