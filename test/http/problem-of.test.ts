// What the door answers for errors and rejections, for those who write routes of their own.

import t from 'tap'

import { problemOf } from '../../src/doors/http.js'
import { CairnError } from '../../src/index.js'
import { openShop, till } from './shop.js'

await using shop = await openShop()
const ref = shop.node.spawn(till, 't')

await t.test('it is what the door itself answers', async t => {
  const cases: [string, object, () => Promise<unknown>][] = [
    ['sell', { price: 0 }, () => ref.ask('sell', { price: 0 })],
    ['wat', {}, () => ref.ask('wat' as 'look', undefined)],
  ]
  for (const [command, body, ask] of cases) {
    const ours = problemOf(await ask().catch((error: unknown) => error))
    const response = await shop.request(`/v1/actors/till/t/ask/${command}`, { body })
    t.equal(ours.status, response.status, command)
    t.equal(ours.headers['content-type'], response.headers.get('content-type'))
    const answered = (await response.json()) as object
    // Each command has ids of its own.
    const ids = { commandId: '', correlationId: '', details: '' }
    t.strictSame({ ...ours.body, ...ids }, { ...answered, ...ids })
  }
})

await t.test('a conflict is 412, with the version that the actor has', async t => {
  const outcome = await ref.ask('look', undefined, { expectedVersion: 7 })
  t.match(problemOf(outcome), {
    status: 412,
    headers: { etag: '"0"' },
    body: {
      code: 'version-conflict',
      rejection: { details: { expected: 7, actual: 0 } },
    },
  })
  const own = {
    ok: false,
    version: 1,
    rejection: { code: 'version-conflict', message: "the actor's own" },
  }
  t.match(problemOf(own), { status: 409, body: { code: 'rejected' } })
})

await t.test(
  'what may succeed later says when; what is unknown is not shown',
  async t => {
    t.match(
      problemOf(new CairnError('queue-full', 'too much', { details: { most: 5n } })),
      {
        status: 429,
        headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
        body: { status: 429, code: 'queue-full', detail: 'too much', retryable: true },
      },
    )
    for (const thrown of [
      new Error('the password is x'),
      'x',
      undefined,
      { ok: false },
    ]) {
      const { status, body } = problemOf(thrown)
      t.equal(status, 500)
      t.equal(body.code, 'internal')
      t.notMatch(JSON.stringify(body), /password/)
    }
  },
)

await t.test('details that are no data hide no answer', async t => {
  const circle: Record<string, unknown> = {}
  circle.self = circle
  const thrower = () => {
    throw new Error('a getter')
  }
  const own: [name: string, details: Record<string, unknown>, shown: unknown][] = [
    ['a circle', circle, undefined],
    ['toJSON', { toJSON: thrower }, undefined],
    [
      'a deep getter',
      { at: Object.defineProperty({}, 'x', { enumerable: true, get: thrower }) },
      undefined,
    ],
    ['a map', { at: new Map([['a', new Set([1n])]]) }, { at: [['a', ['1']]] }],
    [
      'numbers',
      { at: [NaN, -Infinity, 2n ** 60n] },
      { at: ['NaN', '-Infinity', '1152921504606846976'] },
    ],
    ['no time', { retryAfter: NaN }, { retryAfter: 'NaN' }],
    ['a time of the past', { retryAfter: -1 }, { retryAfter: -1 }],
  ]
  for (const [name, details, shown] of own) {
    const { status, headers, body } = problemOf(
      new CairnError('forbidden', 'mine', { details }),
    )
    t.equal(status, 403, name)
    t.equal(headers['retry-after'], undefined, name)
    t.strictSame(body.details, shown, name)
  }
})
