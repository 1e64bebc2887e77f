// What the door answers for errors and rejections, for those who write routes of their own.

import t from 'tap'

import { problemOf } from '../../src/doors/http.js'
import { CairnError, type RejectedOutcome } from '../../src/index.js'
import type { Rejection } from '../../src/model/behavior.js'
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

await t.test('a rejection has the status that the caller names', async t => {
  const outcome = await ref.ask('sell', { price: 0 })
  if (outcome.ok) throw new Error('it is rejected')
  const statusOf = (...[, options]: Parameters<typeof problemOf<typeof outcome>>) => {
    const { status, body } = problemOf(outcome, options)
    t.equal(body.status, status)
    t.match(body, { code: 'rejected', rejection: { code: 'no-price' } })
    return status
  }
  t.equal(statusOf(outcome, { status: 403 }), 403)
  t.equal(statusOf(outcome, { status: { 'no-price': 422 } }), 422)
  t.equal(statusOf(outcome, { status: {} }), 409, 'a code that is not listed')
  t.equal(statusOf(outcome, { status: ({ code }) => code.length + 400 }), 408)
  t.equal(statusOf(outcome, { status: () => undefined }), 409)
  t.equal(statusOf(outcome, { status: undefined }), 409)
  const named = { ...outcome, rejection: { ...outcome.rejection, code: 'constructor' } }
  t.equal(problemOf(named, { status: {} }).status, 409)
})

await t.test('other failures keep their status', async t => {
  const conflict: unknown = await ref.ask('look', undefined, { expectedVersion: 7 })
  t.match(problemOf(conflict, { status: 403 }), { status: 412, headers: { etag: '"0"' } })
  const error = new CairnError('unknown-command', 'none')
  t.match(problemOf(error, { status: 403 }), { status: 404 })
  t.match(problemOf(new Error('x'), { status: () => 403 }), { status: 500 })
})

await t.test('a status that is none, and an unknown option, are refused', async t => {
  const outcome: unknown = await ref.ask('sell', { price: 0 })
  for (const status of [200, 399, 600, 403.5, '403', null, NaN] as number[])
    for (const given of [status, { 'no-price': status }, { other: status }, () => status])
      t.throws(() => problemOf(outcome, { status: given }), {
        code: 'invalid-option',
        message: /use a whole number from 400 to 599/,
      })
  t.throws(() => problemOf(outcome, { statuses: 403 } as object), {
    code: 'invalid-option',
    message: /Did you mean status/,
  })
})

await t.test('the codes of a table are those of the rejection', t => {
  const outcome = {} as RejectedOutcome<
    Rejection<'empty'> | Rejection<'not-yours', { readonly owner: string }>
  >
  const typed = () => [
    problemOf(outcome, { status: { empty: 422, 'not-yours': 403 } }),
    // @ts-expect-error -- it has no such code
    problemOf(outcome, { status: { emty: 422 } }),
    problemOf(outcome, {
      status: ({ code, details }) => (code === 'not-yours' ? details.owner.length : 403),
    }),
    problemOf(new Error('x') as unknown, { status: { any: 403 } }),
  ]
  t.type(typed, 'function')
  t.end()
})
