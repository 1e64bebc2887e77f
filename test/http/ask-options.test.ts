// What routes of an application read of a request: the same as the door.

import t from 'tap'

import { askOptionsOf, problemOf, type RequestWithHeaders } from '../../src/doors/http.js'
import { correlationOf } from '../../src/model/causes.js'
import { openShop, till } from './shop.js'

await using shop = await openShop()
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const writer = { principal: 'writer' }

/** The same headers as a `Request` and as servers of Node have them. */
const requests = (headers: Record<string, string>): RequestWithHeaders[] => [
  new Request('http://localhost/', { headers }),
  { headers },
]

await t.test('all headers of a command are options of ask', t => {
  const headers = {
    'idempotency-key': '"payment-7"',
    'x-correlation-id': 'order-7',
    traceparent,
    'if-match': '"7"',
  }
  for (const request of requests(headers))
    t.strictSame(askOptionsOf(request, writer), {
      commandId: 'http:writer:payment-7',
      correlationId: 'order-7',
      traceparent,
      principal: 'writer',
      expectedVersion: 7,
    })
  t.strictSame(
    askOptionsOf(
      {
        headers: { 'Idempotency-Key': ['k'], 'X-Correlation-Id': 'c', accept: undefined },
      },
      { principal: undefined },
    ),
    { commandId: 'http::k', correlationId: 'c' },
    'names in any case, and nobody who is known',
  )
  t.end()
})

await t.test('without headers, ids are new', t => {
  const [one, other] = requests({}).map(request => askOptionsOf(request, writer))
  t.match(one, { commandId: /^http:writer:.+/, correlationId: /.+/ })
  t.not(one!.commandId, other!.commandId)
  t.strictSame(Object.keys(one!).sort(), ['commandId', 'correlationId', 'principal'])
  t.end()
})

await t.test('what strangers set is replaced or left out', t => {
  const long = 'x'.repeat(1_025)
  for (const request of requests({ 'x-correlation-id': long, traceparent: 'wat' })) {
    const { correlationId, ...rest } = askOptionsOf(request, writer)
    t.equal(correlationId, correlationOf(long, long))
    t.notOk('traceparent' in rest)
  }
  t.end()
})

await t.test('what is not valid is a 400 that names the header', t => {
  for (const [name, value] of [
    ['idempotency-key', ''],
    ['idempotency-key', 'a b'],
    ['idempotency-key', 'x'.repeat(256)],
    ['if-match', '*'],
    ['if-match', '7'],
    ['if-match', 'W/"7"'],
    ['if-match', '"7", "8"'],
    ['if-none-match', '"7"'],
    ['if-modified-since', 'Tue, 01 Dec 2026 04:00:00 GMT'],
  ] as const)
    for (const request of requests({ [name]: value })) {
      let thrown: unknown
      try {
        askOptionsOf(request, writer)
      } catch (error) {
        thrown = error
      }
      t.match(problemOf(thrown), {
        status: 400,
        body: { code: 'invalid-request', detail: new RegExp(name) },
      })
    }
  t.end()
})

await t.test('what the application passes wrongly is refused', t => {
  const [request] = requests({})
  for (const principal of ['', 'x'.repeat(257), 'a\nb', 7, null] as string[])
    t.throws(() => askOptionsOf(request!, { principal }), {
      code: 'invalid-option',
      message: /principal/,
    })
  t.throws(() => askOptionsOf(request!, { princpal: 'x' } as never), {
    message: /Did you mean principal/,
  })
  t.throws(() => askOptionsOf(request!, undefined as never), { code: 'invalid-option' })
  t.throws(() => askOptionsOf({} as never, writer), {
    code: 'invalid-option',
    message: /a request with headers/,
  })
  t.end()
})

await t.test('a command takes effect once, by the door or by a route', async t => {
  const headers = { 'idempotency-key': 'both', 'if-match': '"0"' }
  const ref = shop.node.spawn(till, 'b')
  const ask = (principal?: string) =>
    ref.ask('sell', { price: 5 }, askOptionsOf({ headers }, { principal }))
  t.match(await ask('writer'), { ok: true, version: 1, duplicate: false })
  t.match(
    await shop.json('/v1/actors/till/b/ask/sell', { body: { price: 5 }, headers }),
    { status: 200, body: { version: 1, duplicate: true } },
  )
  for (const another of ['otto', undefined])
    t.match(problemOf(await ask(another)), {
      status: 412,
      headers: { etag: '"1"' },
    })
  const { body } = await shop.json('/v1/actors/till/b/events')
  t.match(body, { events: [{ principal: 'writer' }] })
})
