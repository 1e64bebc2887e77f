import t from 'tap'

import {
  CairnError,
  isCairnError,
  isErrorCode,
  messageOf,
} from '../../src/model/errors.js'
import { show } from '../../src/model/show.js'

await t.test('an error has a code and says whether it is retryable', async t => {
  const cause = new Error('below')
  const error = new CairnError('contention', 'others were faster', {
    cause,
    details: { attempts: 3 },
  })
  t.ok(error instanceof Error)
  t.equal(error.name, 'CairnError')
  t.equal(error.code, 'contention')
  t.equal(error.retryable, true)
  t.equal(error.cause, cause)
  t.strictSame(error.details, { attempts: 3 })
  const plain = new CairnError('invalid-data', 'no')
  t.equal(plain.retryable, false)
  t.strictSame(plain.details, {})
  t.notOk('cause' in plain)
})

await t.test('isCairnError accepts errors of any copy of the package', async t => {
  const error = new CairnError('no-node', 'nobody')
  t.ok(isCairnError(error))
  t.ok(isCairnError(error, 'no-node'))
  t.notOk(isCairnError(error, 'aborted'))
  const copy = Object.assign(new Error('x'), {
    name: 'CairnError',
    code: 'no-node',
    retryable: true,
    details: {},
  })
  t.ok(isCairnError(copy))
  t.ok(isCairnError(copy, 'no-node'))
})

await t.test('isCairnError rejects everything else', async t => {
  const others: unknown[] = [
    new Error('x'),
    Object.assign(new Error('x'), { code: 'no-node' }),
    Object.assign(new Error('x'), { name: 'CairnError' }),
    Object.assign(new Error('x'), { name: 'CairnError', code: 'no-node' }),
    Object.assign(new Error('x'), { name: 'CairnError', code: 'made-up' }),
    Object.assign(new Error('x'), { name: 'CairnError', code: 'toString' }),
    { name: 'CairnError', code: 'no-node' },
    'no-node',
    null,
    undefined,
  ]
  for (const other of others) t.notOk(isCairnError(other))
})

await t.test('isErrorCode accepts the codes of the table only', async t => {
  t.ok(isErrorCode('aborted'))
  for (const other of ['', 'toString', '__proto__', 'constructor', 7, null])
    t.notOk(isErrorCode(other))
})

await t.test('messageOf returns a message for any thrown value', async t => {
  t.equal(messageOf(new Error('x')), 'x')
  t.equal(messageOf('x'), 'x')
  t.equal(messageOf(undefined), 'undefined')
})

await t.test('values are shown quoted and short', async t => {
  t.equal(show('a"b\n'), '"a\\"b\\n"')
  t.equal(show(null), 'null')
  t.equal(show(undefined), 'undefined')
  t.equal(show(7), '7')
  t.equal(show(false), 'false')
  t.equal(show([1]), 'a list')
  t.equal(show({}), 'an object')
  const long = show('x'.repeat(500))
  t.ok(long.length < 120 && long.endsWith('(500 characters)'), long)
})
