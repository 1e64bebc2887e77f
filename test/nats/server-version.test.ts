import t from 'tap'

import { isCairnError } from '../../src/model/errors.js'
import {
  checkServerVersion,
  compareVersions,
  minimumServerVersion,
} from '../../src/nats/server-version.js'

await t.test('versions are compared by number, part by part', async t => {
  const ascending = [
    '0.0.0',
    '2.2.0',
    '2.9.10',
    '2.10.0',
    '2.12.1',
    '2.12.2',
    '2.12.14',
    '10.0.0',
  ]
  for (const [i, a] of ascending.entries())
    for (const [j, b] of ascending.entries())
      t.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} and ${b}`)
  t.equal(compareVersions('v2.14.0', '2.14.0'), 0)
  t.equal(compareVersions('2.14.0-RC.1', '2.14.0'), 0, 'suffixes are ignored')
})

await t.test('text that is not a version counts as the oldest version', async t => {
  for (const odd of ['', 'unknown', '2', '2.14', 'x2.14.0', 'latest'])
    t.equal(compareVersions(odd, '0.0.0'), 0, odd)
})

await t.test(
  'an older server is refused with both versions, and a newer one is accepted',
  async t => {
    for (const old of ['2.9.10', '2.11.0', '2.12.1', 'unknown'])
      try {
        checkServerVersion(old, '127.0.0.1:4222')
        t.fail(old)
      } catch (error) {
        if (!isCairnError(error, 'server-too-old')) throw error
        for (const part of [old, minimumServerVersion, '127.0.0.1:4222'])
          t.ok(error.message.includes(part), error.message)
        t.strictSame(error.details, { version: old, minimum: minimumServerVersion })
      }
    for (const good of [minimumServerVersion, '2.12.14', '2.14.4', '3.0.0', '2.13.0-dev'])
      checkServerVersion(good, 'x')
  },
)
