// The output of the commands: shapes, order, values that JSON has no form for, and only data on
// stdout.

import t from 'tap'

import { LmdbFixture } from '../support/lmdb-fixture.js'
import { cairn } from '../multinode/harness.js'
import { jsonLines } from './support.js'

const dir = t.testdir()
const here = ['--ns', 'data', '--embedded', dir]
const withActors = [...here, '--actors', 'test/support/actors/counter.mjs']

/** Runs a command that must succeed and write nothing to stderr. */
async function lines(...args: string[]): Promise<string[]> {
  const { code, stderr, lines: printed } = await cairn(...args, ...here)
  if (code !== 0 || stderr !== '') throw new Error(`exit ${code}: ${stderr}`)
  return printed
}

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  return jsonLines({ lines: await lines(...args, '--json') })
}

function pairs<T>(values: readonly T[]): T[][] {
  const result: T[][] = []
  for (let i = 0; i < values.length; i += 2) result.push(values.slice(i, i + 2))
  return result
}

await t.test('append prints version and position', async t => {
  t.strictSame(await json('append', 'order/1', 'placed', '{"total":3}'), [
    { version: 1, position: 1 },
  ])
  t.strictSame(await lines('append', 'order/1', 'paid'), [
    'order/1 is at version 2 (position 2)',
  ])
})

await t.test(
  '--expect: a version, none, exists and any, each fulfilled and not',
  async t => {
    const append = async (
      actor: string,
      expect: string,
    ): Promise<[number | null, unknown, string]> => {
      const args = ['append', actor, 'noted', '--expect', expect, '--json', ...here]
      const { code, stdout, stderr } = await cairn(...args)
      return [code, JSON.parse(stdout), stderr]
    }
    const ok = (code: number | null, version: number, printed: unknown) =>
      t.match([code, printed], [0, { version, position: Number }])
    for (const [expect, version] of [
      ['none', 1],
      ['exists', 2],
      ['2', 3],
      ['any', 4],
    ] as const) {
      const [code, printed] = await append('order/e', expect)
      ok(code, version, printed)
    }
    const [first, zero] = await append('order/f', '0')
    ok(first, 1, zero)
    for (const [expect, expected, version] of [
      ['none', 'none', 4],
      ['3', 3, 4],
      ['5', 5, 4],
    ] as const) {
      const [code, printed, stderr] = await append('order/e', expect)
      t.equal(code, 4)
      t.strictSame(printed, { expected, actual: version })
      t.equal(
        stderr,
        `order/e is at version 4, and ${expect} was expected; nothing was stored.\n`,
      )
    }
    const [missing, printed] = await append('order/absent', 'exists')
    t.strictSame([missing, printed], [4, { expected: 'exists', actual: 0 }])
    t.strictSame(await json('read', 'order/absent'), [], 'nothing was stored')
  },
)

await t.test(
  'read prints events whole, and nothing for an actor without any',
  async t => {
    const [placed, paid, ...more] = await json('read', 'order/1')
    t.strictSame(more, [])
    t.strictSame(Object.keys(placed!), [
      'id',
      'actor',
      'type',
      'version',
      'position',
      'data',
      'at',
      'commitId',
      'nodeId',
    ])
    t.match(placed, {
      id: 'order/1/1',
      actor: 'order/1',
      type: 'placed',
      version: 1,
      position: 1,
      data: { total: 3 },
      at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
      commitId: /^[\w-]{20,}$/,
      nodeId: /^cli-[\w-]+$/,
    })
    t.match(paid, { id: 'order/1/2', version: 2, position: 2, data: null })
    const readable = await lines('read', 'order/1')
    t.equal(readable[0], `1  ${String(placed!.at)}  order/1  v1  placed  {"total":3}`)
    t.match(await cairn('read', 'order/unknown', ...here), {
      code: 0,
      stdout: '',
      stderr: 'order/unknown has no events.\n',
    })
  },
)

await t.test('ranges, backwards and limits', async t => {
  for (let n = 1; n <= 5; n++) await lines('append', 'row/r', 'set', String(n))
  const seen = async (...args: string[]) =>
    (await json('read', 'row/r', ...args)).map(event => event.data)
  t.strictSame(await seen('--from', '3'), [3, 4, 5])
  t.strictSame(await seen('--to', '2'), [1, 2])
  t.strictSame(await seen('--from', '2', '--to', '4'), [2, 3, 4])
  t.strictSame(await seen('--backwards'), [5, 4, 3, 2, 1])
  t.strictSame(await seen('--backwards', '--from', '2', '--to', '4'), [4, 3, 2])
  t.strictSame(await seen('--limit', '2'), [1, 2])
  t.strictSame(await seen('--backwards', '--limit', '2'), [5, 4])
  t.strictSame(await seen('--from', '6'), [])
})

await t.test('ids of any text', async t => {
  const ids = [
    'two words',
    'a.b',
    'a_b',
    'a*',
    '>',
    '🪨/cairn',
    '-dash',
    "it's",
    'ü',
    ' ',
  ]
  // Two at a time: each is a process.
  for (const pair of pairs(ids))
    await Promise.all(
      pair.map(id => lines('append', `any/${id}`, 'noted', JSON.stringify(id))),
    )
  const read: [string, Record<string, unknown>[]][] = []
  for (const pair of pairs(ids))
    read.push(
      ...(await Promise.all(
        pair.map(
          async id => [id, await json('read', `any/${id}`)] as (typeof read)[number],
        ),
      )),
    )
  for (const [id, [event, ...more]] of read) {
    t.match(event, { id: `any/${id}/1`, actor: `any/${id}`, data: id })
    t.strictSame(more, [])
  }
  const listed = await json('actors', '--type', 'any')
  t.strictSame(
    listed.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1)),
    ids.toSorted().map(id => ({ actor: `any/${id}`, type: 'any', id })),
  )
})

await t.test('control characters in an id do not reach the terminal', async t => {
  const id = 'a\nb\u001b[2J'
  t.strictSame(await lines('append', `any/${id}`, 'noted'), [
    String.raw`any/a\u000ab\u001b[2J is at version 1 (position ${(await json('read', `any/${id}`))[0]!.position})`,
  ])
  const [line, ...more] = await lines('read', `any/${id}`)
  t.match(line, String.raw`any/a\u000ab\u001b[2J  v1  noted`)
  t.strictSame(more, [], 'it is one line')
  t.ok(
    (await lines('actors', '--type', 'any')).includes(String.raw`any/a\u000ab\u001b[2J`),
  )
})

await t.test('dates, bytes and large integers are printed as text', async t => {
  const asked = await cairn('ask', 'shelf/s', 'keep', '--json', ...withActors)
  t.equal(asked.code, 0, asked.stderr)
  const data = {
    at: '1970-01-01T00:00:00.000Z',
    bytes: 'aGk=',
    big: '12345678901234567890',
    like: { type: 'Buffer', data: [104, 105] },
  }
  const [event] = await json('read', 'shelf/s')
  t.strictSame(event!.data, data)
  t.ok((await lines('read', 'shelf/s'))[0]!.endsWith(JSON.stringify(data)))
  const state = await cairn('state', 'shelf/s', '--json', ...withActors)
  t.strictSame(JSON.parse(state.stdout), { version: 1, state: { kept: data } })
})

await t.test('ask prints the reply, and the refusal', async t => {
  const ask = (actor: string, command: string, data: string, ...flags: string[]) =>
    cairn('ask', actor, command, data, '--demo', ...flags, ...here)
  const plainly = await ask('account/p', 'deposit', '{"amount":5}')
  t.match(
    plainly.stdout,
    /^account\/p is at version 1 \(position \d+\): \{"balance":5\}\n$/,
  )
  t.equal(plainly.stderr, '')
  const asJson = await ask('account/p', 'deposit', '{"amount":5}', '--json')
  const { position, ...rest } = JSON.parse(asJson.stdout) as Record<string, unknown>
  t.type(position, 'number')
  t.strictSame(rest, { version: 2, reply: { balance: 10 }, duplicate: false })
  const again = ['--json', '--command-id', 'the-same']
  const once = JSON.parse(
    (await ask('account/q', 'deposit', '{"amount":5}', ...again)).stdout,
  )
  const twice = await ask('account/q', 'deposit', '{"amount":5}', ...again)
  t.strictSame(
    JSON.parse(twice.stdout),
    { ...once, duplicate: true },
    'answered with the first reply',
  )
  t.equal((await json('read', 'account/q')).length, 1, 'and takes effect once')
  const expecting = ['--json', '--expect', '1']
  const met = await ask('account/q', 'deposit', '{"amount":5}', ...expecting)
  t.match(JSON.parse(met.stdout), { version: 2 })
  const unmet = await ask('account/q', 'deposit', '{"amount":5}', ...expecting)
  t.strictSame([unmet.code, JSON.parse(unmet.stdout)], [4, { expected: 1, actual: 2 }])
  t.match(unmet.stderr, /at version 2, and the command expects version 1/)
  t.match((await ask('account/q', 'deposit', '{}', '--expect', 'none')).code, 2)
  const refused = await ask('account/p', 'withdraw', '{"amount":50}', '--json')
  t.equal(refused.code, 1)
  t.strictSame(JSON.parse(refused.stdout), {
    version: 2,
    rejection: {
      code: 'overdraft',
      message: 'The balance is 10.',
      details: { balance: 10 },
    },
  })
  t.equal(refused.stderr, 'account/p refused withdraw: The balance is 10. [overdraft]\n')
  const silent = await ask('account/p', 'withdraw', '{"amount":50}')
  t.strictSame(
    [silent.code, silent.stdout],
    [1, ''],
    'without --json it is on stderr only',
  )
  const nothing = await cairn('ask', 'shelf/n', 'nothing', '--json', ...withActors)
  t.strictSame(
    JSON.parse(nothing.stdout),
    { version: 0, position: 0, reply: null, duplicate: false },
    'no event and no reply',
  )
  const number = await cairn(
    'ask',
    'counter/c',
    'add',
    '--json',
    ...withActors,
    '--',
    '-5',
  )
  t.match(
    JSON.parse(number.stdout),
    { version: 1, reply: -5 },
    'negative data after "--"',
  )
})

await t.test('state prints the state now and as of a version', async t => {
  const at = (...flags: string[]) => json('state', 'account/p', '--demo', ...flags)
  t.strictSame(await at(), [{ version: 2, state: { balance: 10 } }])
  t.strictSame(await at('--version', '1'), [{ version: 1, state: { balance: 5 } }])
  t.strictSame(await at('--version', '0'), [{ version: 0, state: { balance: 0 } }])
  const now = [{ version: 2, state: { balance: 10 } }]
  for (const fresh of ['local', 'latest'])
    t.strictSame(await at('--fresh', fresh), now, fresh)
  t.strictSame(await at('--after', '2'), now)
  t.strictSame(await lines('state', 'account/p', '--demo'), [
    'account/p at version 2: {"balance":10}',
  ])
})

await t.test('a record that is not a commit is shown as malformed', async t => {
  await using place = await LmdbFixture.make()
  const store = await place.open()
  const actor = { type: 'order', id: 'm' }
  await store.append(actor, [{ type: 'placed' }])
  await place.injectRecord(actor, { headers: { note: 'mine' }, body: Buffer.from('hi') })
  await store.append(actor, [{ type: 'paid' }])
  const there = ['--ns', 'test', '--embedded', place.dir]
  for (const args of [
    ['read', 'order/m'],
    ['tail', '--after', '0', '--limit', '3'],
  ]) {
    const { code, lines: printed } = await cairn(...args, ...there, '--json')
    t.equal(code, 0)
    const [placed, malformed, paid] = printed.map(line => JSON.parse(line) as object)
    t.match(placed, { type: 'placed', version: 1 })
    t.match(paid, { type: 'paid', version: 2 })
    t.strictSame(Object.keys(malformed!), [
      'malformed',
      'position',
      'source',
      'reason',
      'raw',
      'headers',
    ])
    t.match(malformed, {
      malformed: true,
      position: 2,
      source: String,
      reason: /\w/,
      raw: 'aGk=',
      headers: { note: 'mine' },
    })
  }
  const readable = await cairn('read', 'order/m', ...there)
  t.match(readable.lines[1], /^2 {2}MALFORMED {2}\S+: \w/)
})
