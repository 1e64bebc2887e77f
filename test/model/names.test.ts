import t from 'tap'

import {
  type ActorAddress,
  checkActorId,
  checkActorType,
  checkAddress,
  checkNamespace,
  formatAddress,
  parseAddress,
} from '../../src/model/address.js'

const namespaces: [string[], unknown[]] = [
  ['a', '0', 'a-b', '0-', 'a'.repeat(63), 'test-2'],
  [
    '',
    '-a',
    'A',
    'a_b',
    'a.b',
    'a b',
    'ä',
    'a/b',
    'a'.repeat(64),
    '*',
    '>',
    'a\n',
    null,
    7,
  ],
]
const types: [string[], unknown[]] = [
  ['a', 'A', 'accountV2', 'a-b', 'a_b', 'Z9', 'x'.repeat(63)],
  [
    '',
    '1a',
    '-a',
    '_a',
    'a.b',
    'a b',
    'ä',
    'a/b',
    'x'.repeat(64),
    '*',
    '>',
    'a\n',
    null,
    {},
  ],
]
const ids: [string[], unknown[]] = [
  [
    ' ',
    '.',
    '*',
    '>',
    '/',
    'a.b',
    '\0',
    '🪨',
    'x'.repeat(256),
    'ä'.repeat(128),
    '\uffff',
  ],
  [
    '',
    'x'.repeat(257),
    'ä'.repeat(129),
    '🪨'.repeat(65),
    '\ud800',
    'a\udc00b',
    null,
    1,
    {},
  ],
]

await t.test('valid names are returned unchanged', async t => {
  for (const name of namespaces[0]) t.equal(checkNamespace(name), name)
  for (const name of types[0]) t.equal(checkActorType(name), name)
  for (const name of ids[0]) t.equal(checkActorId(name), name)
})

await t.test('invalid names are errors that quote them', async t => {
  const checks = [
    ['invalid-namespace', checkNamespace, namespaces[1]],
    ['invalid-actor-type', checkActorType, types[1]],
    ['invalid-actor-id', checkActorId, ids[1]],
  ] as const
  for (const [code, check, names] of checks)
    for (const name of names)
      t.throws(() => check(name), { code }, `${code}: ${JSON.stringify(name)}`)
  t.throws(() => checkNamespace('a.b'), { message: /"a\.b" is not a namespace/ })
  t.throws(() => checkActorId('x'.repeat(257)), { message: /257 bytes.*limit is 256/ })
})

await t.test('addresses are checked in both parts', async t => {
  const good = { type: 'account', id: 'alice' }
  t.equal(checkAddress(good), good)
  t.throws(() => checkAddress({ type: 'a.b', id: 'x' }), { code: 'invalid-actor-type' })
  t.throws(() => checkAddress({ type: 'a', id: '' }), { code: 'invalid-actor-id' })
  for (const bad of [null, undefined, 'account/alice', 7])
    t.throws(() => checkAddress(bad as unknown as ActorAddress), {
      code: 'invalid-actor-id',
    })
})

await t.test('the first slash of a formatted address separates type and id', async t => {
  const pairs: [string, string, string][] = [
    ['account', 'alice', 'account/alice'],
    ['a', 'b/c', 'a/b/c'],
    ['a', '/', 'a//'],
    ['a', ' 🪨', 'a/ 🪨'],
  ]
  for (const [type, id, text] of pairs) {
    t.equal(formatAddress({ type, id }), text)
    t.strictSame(parseAddress(text), { type, id })
  }
  for (const text of ['alice', '', 'account/'])
    t.throws(() => parseAddress(text), { code: 'invalid-actor-id' }, text)
  for (const text of ['/alice', 'a.b/c'])
    t.throws(() => parseAddress(text), { code: 'invalid-actor-type' }, text)
})
