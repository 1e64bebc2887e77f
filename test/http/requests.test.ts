// What a request carries: its key, its ids, its principal; and how outcomes, errors and odd ids come back.

import { readFile, writeFile } from 'node:fs/promises'
import t from 'tap'

import { httpHandler } from '../../src/doors/http.js'
import { defineConsumer, defineTopic } from '../../src/index.js'
import { correlationOf } from '../../src/model/causes.js'
import { until } from '../support/wait.js'
import { type Body, openShop, tokens } from './shop.js'

await using shop = await openShop({ origins: ['https://console.example'] })
const ask = (
  path: string,
  body: unknown,
  headers = {},
  as: 'writer' | 'other' = 'writer',
) => shop.json(`/v1/actors/till/${path}`, { body, headers, as })

await t.test('a key makes a command take effect once, for one principal', async t => {
  const headers = { 'idempotency-key': '"k 1"'.replace(' ', '-') }
  const first = await ask('k/ask/sell', { price: 5 }, headers)
  const again = await ask('k/ask/sell', { price: 5 }, headers)
  t.match(first, { status: 200, body: { version: 1, duplicate: false, reply: 5 } })
  t.match(again, { status: 200, body: { version: 1, duplicate: true, reply: 5 } })
  const other = await ask('k/ask/sell', { price: 5 }, headers, 'other')
  t.match(other, { status: 200, body: { version: 2, duplicate: false, reply: 10 } })
  t.match(await ask('k/ask/sell', { price: 6 }, headers), {
    status: 409,
    body: { code: 'command-id-reused' },
  })
  const response = await shop.request('/v1/actors/till/k/ask/look', { body: {} })
  const given = response.headers.get('idempotency-key')
  t.ok(given, 'a request without a key is told the one that it was given')
  for (const key of ['', 'a b', 'x'.repeat(256), 'ü'])
    t.match(await ask('k/ask/sell', { price: 1 }, { 'idempotency-key': key }), {
      status: 400,
      body: { detail: /idempotency-key/ },
    })
  const send = await shop.json('/v1/actors/till/k/send/sell', {
    body: { price: 1 },
    headers: { 'idempotency-key': 's1' },
  })
  t.match(send, { status: 200, body: { duplicate: false } })
})

await t.test('outcomes', async t => {
  t.match(await ask('o/ask/sell', { price: 0 }), {
    status: 409,
    body: {
      code: 'rejected',
      detail: 'A price of 0 is none.',
      retryable: false,
      rejection: { code: 'no-price' },
      version: 0,
    },
  })
  t.match(await ask('o/ask/wat', {}), { status: 404, body: { code: 'unknown-command' } })
  t.match(await shop.json('/v1/actors/nobody/x/ask/go', { body: {} }), {
    status: 503,
    body: { code: 'no-node', retryable: true },
  })
  t.match(await shop.json('/v1/actors/not%20a%20type/x/state'), {
    status: 400,
    body: { code: 'invalid-actor-type' },
  })
  t.match(await shop.json('/v1/actors/till/k/state?version=99'), {
    status: 404,
    body: { code: 'unknown-version' },
  })
  t.match(await shop.json('/v1/actors/till/k/state?version=1'), {
    status: 200,
    body: { version: 1, position: Number, state: { sum: 5 } },
  })
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const { status } = await shop.json('/v1/actors/till/o/ask/sell', { body: deep })
  t.ok(status >= 400 && status < 500, `nested too deeply: ${status}`)
  t.match(await ask('o/ask/sell', '{"__proto__":{"price":1}}'), { status: /^[45]/ })
})

await t.test('If-Match: a command is decided only at the version it expects', async t => {
  const sell = (ifMatch: string, headers = {}) =>
    shop.request('/v1/actors/till/m/ask/sell', {
      body: { price: 5 },
      headers: { 'if-match': ifMatch, ...headers },
    })
  const first = await sell('"0"', { 'idempotency-key': 'm1' })
  t.equal(first.status, 200)
  t.equal(first.headers.get('etag'), '"1"')
  for (const expected of ['"0"', '"7"', ' "7" ']) {
    const response = await sell(expected)
    t.equal(response.headers.get('etag'), '"1"', 'the version that it has')
    t.match(
      { status: response.status, body: await response.json() },
      {
        status: 412,
        body: {
          type: 'urn:cairn:problem:version-conflict',
          code: 'version-conflict',
          detail: /at version 1, and the command expects version/,
          retryable: false,
          rejection: { code: 'version-conflict', details: { actual: 1 } },
          version: 1,
        },
      },
    )
  }
  const repeated = await sell('"0"', { 'idempotency-key': 'm1' })
  t.match(await repeated.json(), { version: 1, duplicate: true }, 'the first answer')
  t.equal((await sell('"1"')).headers.get('etag'), '"2"')
  t.match((await shop.json('/v1/actors/till/m/state')).body, { version: 2 })
  const rejected = await ask('m/ask/sell', { price: 0 }, { 'if-match': '"2"' })
  t.match(rejected, { status: 409, body: { code: 'rejected' } })
  const any = await ask('m/ask/sell', { price: 5 }, { 'if-match': '*' })
  t.match(any, { status: 400, body: { detail: /read the state, and send its ETag/ } })
})

await t.test('If-None-Match: a state that the client has is not sent again', async t => {
  const state = (tag?: string, query = '') =>
    shop.request(`/v1/actors/till/m/state${query}`, {
      headers: tag === undefined ? {} : { 'if-none-match': tag },
    })
  const whole = await state()
  t.equal(whole.status, 200)
  t.equal(whole.headers.get('etag'), '"2"')
  const same = await state('"2"')
  t.equal(same.status, 304)
  t.equal(same.headers.get('etag'), '"2"')
  t.equal(await same.text(), '')
  t.equal((await state('"1"')).status, 200)
  t.equal((await state('"1"', '?version=1')).status, 304)
  const none = await shop.request('/v1/actors/till/nobody/state')
  t.equal(none.headers.get('etag'), '"0"')
})

await t.test('what if: at a version, and nothing is stored', async t => {
  const whatIf = (body: unknown) =>
    shop.json('/v1/actors/till/k/what-if', { body, as: 'reader' })
  t.match(await whatIf({ command: 'sell', data: { price: 9 }, version: 1 }), {
    status: 200,
    body: {
      ok: true,
      version: 2,
      reply: 14,
      state: { sum: 14 },
      events: [{ type: 'sold', data: { price: 9 } }],
    },
  })
  t.match(await whatIf({ command: 'sell', data: { price: -1 } }), {
    status: 200,
    body: { ok: false, rejection: { code: 'no-price' } },
  })
  t.match(await whatIf({ command: 'remind', data: { after: 5 }, now: 1_000 }), {
    body: { outbox: [{ kind: 'timer', name: 'reminder', at: 1_005 }] },
  })
  t.match(await whatIf({ command: 'wat' }), { status: 404 })
})

await t.test('ids of any text', async t => {
  for (const id of [
    'a/b',
    '50%',
    '%2F',
    'Zoë',
    '日本',
    'a b',
    "it's",
    'x?y#z',
    '%',
    '…',
  ]) {
    const path = `/v1/actors/till/${encodeURIComponent(id)}`
    t.match(
      await shop.json(`${path}/ask/sell`, { body: { price: 1 } }),
      { status: 200 },
      id,
    )
    const { body } = await shop.json(`${path}/events`)
    t.match(body, { events: [{ actor: `till/${id}` }] }, id)
  }
  const { body } = await shop.json('/v1/actors?prefix=Zo')
  t.match(body, { actors: [{ actor: 'till/Zoë', type: 'till', id: 'Zoë' }], next: null })
})

await t.test('actors are listed page by page', async t => {
  const found: string[] = []
  let after = ''
  for (;;) {
    const { body } = await shop.json(`/v1/actors?type=till&limit=4${after}`)
    found.push(...(body.actors as { actor: string }[]).map(({ actor }) => actor))
    if (body.next === null) break
    after = `&after=${encodeURIComponent(body.next as string)}`
  }
  const { body } = await shop.json('/v1/actors?type=till&limit=1000')
  t.strictSame(
    found,
    (body.actors as { actor: string }[]).map(({ actor }) => actor),
  )
  t.ok(found.length > 8)
})

await t.test('the log is read page by page', async t => {
  let after = 0
  const found: unknown[] = []
  for (;;) {
    const { body } = await shop.json(`/v1/events?limit=3&after=${after}&type=till`)
    const events = body.events as Body[]
    found.push(...events.map(({ id }) => id))
    after = body.after as number
    if (events.length === 0) break
  }
  t.equal(new Set(found).size, found.length)
  const { body } = await shop.json('/v1/events?limit=1000&type=till')
  t.strictSame(
    found,
    (body.events as Body[]).map(({ id }) => id),
  )
})

await t.test('the correlation id and the trace go in and out', async t => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const send = async (headers: Record<string, string>) => {
    const path = '/v1/actors/till/c/ask/sell'
    const response = await shop.request(path, { body: { price: 1 }, headers })
    const { body } = await shop.json('/v1/actors/till/c/events?backwards=true&limit=1')
    const [event] = body.events as Body[]
    const { last: commit } = await shop.node.store.head({ type: 'till', id: 'c' })
    return { headers: response.headers, event: event!, commit: commit as unknown as Body }
  }
  const whole = await send({ 'x-correlation-id': 'order-7', traceparent })
  t.equal(whole.headers.get('x-correlation-id'), 'order-7')
  t.equal(whole.headers.get('traceparent'), traceparent)
  t.match(whole.event, { correlationId: 'order-7', principal: 'writer' })
  t.match(whole.commit, { traceparent, principal: 'writer' })
  const long = 'x'.repeat(1_025)
  const replaced = await send({ 'x-correlation-id': long })
  t.equal(replaced.event.correlationId, correlationOf(long, long), 'always the same')
  t.equal(replaced.headers.get('x-correlation-id'), replaced.event.correlationId)
  for (const wrong of ['wat', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, '00-1-2-3']) {
    const { headers, commit } = await send({ traceparent: wrong })
    t.notOk(headers.has('traceparent'))
    t.notOk('traceparent' in commit)
  }
})

await t.test('who asked is known of all that it causes', async t => {
  await ask('p/ask/pass', { to: 'q' })
  await ask('p/ask/remind', { after: 1 })
  await ask('p/ask/announce', { price: 3 })
  await shop.json('/v1/actors/till/stored/send/sell', { body: { price: 2 } })
  const principalOf = async (id: string, type: string) => {
    const { body } = await shop.json(`/v1/actors/till/${id}/events`)
    return (body.events as Body[]).find(
      event => event.type === type && event.causationId !== undefined,
    )?.principal
  }
  await until(async () => (await principalOf('q', 'sold')) === 'writer', {
    describe: 'through the outbox',
  })
  await until(async () => (await principalOf('p', 'sold')) === 'writer', {
    describe: 'through a timer',
  })
  await until(async () => {
    const { body } = await shop.json('/v1/actors/till/stored/events')
    return (body.events as Body[])[0]?.principal === 'writer'
  })
  const letters = await until(async () => {
    const { body } = await shop.json('/v1/dead-letters', { as: 'operator' })
    const found = body.deadLetters as { message: Body }[]
    return found.length > 0 && found
  })
  t.equal(letters[0]!.message.principal, 'writer', 'through a message')
})

await t.test('a message has the headers that the request gives it', async t => {
  const consumer = shop.node.consumer(
    defineConsumer({ name: 'stock', on: defineTopic('stock.counted') }),
  )
  const publish = (query: string) =>
    shop.json(`/v1/topics/stock.counted/publish?${query}`, { body: { count: 1 } })
  t.match(await publish('header=tenant:acme&header=at:12:30'), { status: 200 })
  const [message] = await consumer.consume()
  t.match(message!.headers, { tenant: 'acme', at: '12:30' })
  for (const [query, code, says] of [
    ['header=tenant', 'invalid-request', /"tenant": use name:value/],
    ['header=a:1&header=a:2', 'invalid-request', /a name twice/],
    ['header=Cairn-Node:x', 'invalid-message', /are reserved/],
  ] as const)
    t.match(await publish(query), { status: 400, body: { code, detail: says } })
})

await t.test('dead letters are shown to whom they may be', async t => {
  const { body: list } = await shop.json('/v1/dead-letters', { as: 'operator' })
  const [letter] = list.deadLetters as { position: number }[]
  const path = `/v1/dead-letters/${letter!.position}`
  const whole = await shop.json(path, { as: 'operator' })
  t.match(whole.body, {
    reactor: 'ledger',
    error: { name: 'TypeError', message: /no ledger for/ },
    message: { data: { price: 3 } },
  })
  const { body } = await shop.json(path, { as: 'reader' })
  t.strictSame(body.error, { name: 'TypeError' })
  t.strictSame(Object.keys(body.message as Body), ['id', 'topic', 'at'])
  t.notMatch(JSON.stringify(body), /price/)
  const csv = async (as: 'reader' | 'operator') =>
    (await shop.request('/v1/dead-letters?format=csv', { as })).text()
  t.match(await csv('operator'), /"no ledger for \{""price"":3\}","\{""price"":3\}"\r\n$/)
  t.notMatch(await csv('reader'), /price/)
  const accept = { accept: 'text/csv' }
  const response = await shop.request('/v1/dead-letters', { headers: accept })
  t.match(response.headers.get('content-type'), /^text\/csv/)
  t.match(await response.text(), /^position,reactor,/)
  t.strictSame(await shop.json(`${path}/retry`, { as: 'operator', method: 'POST' }), {
    status: 200,
    body: { count: 1 },
  })
  const again = await until(async () => {
    const { body } = await shop.json('/v1/dead-letters', { as: 'operator' })
    const [first] = body.deadLetters as { position: number; redrives: number }[]
    return first?.redrives === 1 && first
  })
  const gone = `/v1/dead-letters/${again.position}`
  t.match(await shop.json(gone, { as: 'operator', method: 'DELETE' }), { status: 200 })
  t.match(await shop.json(gone, { as: 'operator', method: 'DELETE' }), { status: 404 })
  t.match(await shop.json('/v1/dead-letters/discard', { as: 'operator', body: {} }), {
    status: 400,
    body: { detail: /selects nothing/ },
  })
})

await t.test('directives are given by the principal', async t => {
  const give = (verb: string, body = {}) =>
    shop.json(`/v1/actors/till/s/supervision/${verb}`, { as: 'operator', body })
  t.match(await give('resume'), {
    status: 409,
    body: { code: 'rejected', rejection: { code: 'not-paused' } },
  })
  t.match(await give('pause', { reason: 'a check' }), { status: 200 })
  t.match(await ask('s/ask/sell', { price: 1 }), {
    status: 503,
    body: { code: 'actor-paused', retryable: true },
  })
  const { body } = await shop.json('/v1/actors/till/s/supervision')
  t.match(body.directives, { paused: { by: 'operator', reason: 'a check' } })
  t.match(await give('resume'), { status: 200 })
  t.match(await ask('s/ask/sell', { price: 1 }), { status: 200 })
  t.match(await give('retry'), { status: 200 })
  t.match(await give('skip', { version: 99 }), { status: 404 })
})

await t.test('pages of allowed origins may send requests', async t => {
  const origin = 'https://console.example'
  const preflight = await shop.request('/v1/nodes', {
    as: 'nobody',
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'GET' },
  })
  t.equal(preflight.status, 204)
  t.equal(preflight.headers.get('access-control-allow-origin'), origin)
  t.match(preflight.headers.get('access-control-allow-headers'), /authorization/)
  const response = await shop.request('/v1/nodes', { headers: { origin } })
  t.equal(response.status, 200)
  t.equal(response.headers.get('access-control-allow-origin'), origin)
  const own = { origin: 'http://127.0.0.1:7070', 'sec-fetch-site': 'same-origin' }
  t.equal((await shop.request('/v1/nodes', { headers: own })).status, 200)
})

await t.test('hosts: addresses and localhost are names of this server', async t => {
  const status = async (host: string) =>
    (await shop.request('/v1/nodes', { headers: { host } })).status
  for (const host of ['localhost:7070', '10.1.2.3', '[::1]:7070', 'a.localhost'])
    t.equal(await status(host), 200, host)
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', 'n1'])
    t.equal(await status(host), 403, host)
  const named = await httpHandler(shop.node, {
    anonymous: ['reader'],
    hosts: ['n1'],
    log: false,
  })
  t.teardown(() => named.close())
  const request = new Request('http://n1/v1/nodes', { headers: { host: 'N1' } })
  t.equal((await named.fetch(request)).status, 200)
})

await t.test(
  'tokens that are removed are refused, and mistakes lock nobody out',
  async t => {
    const text = await readFile(shop.file, 'utf8')
    const status = async () => (await shop.request('/v1/nodes', { as: 'other' })).status
    t.equal(await status(), 200)
    await writeFile(shop.file, `${text}half-a-line`)
    await new Promise(resolve => setTimeout(resolve, 600))
    t.equal(await status(), 200)
    await writeFile(shop.file, text.replace(/^.*otto.*\n/m, ''))
    await until(async () => (await status()) === 401)
    for (const [line, says] of [
      ['short otto writer', /fewer than 16 characters/],
      [`${tokens.reader} otto`, /three words/],
      [`${tokens.reader} otto king`, /"king" as a role/],
      ['sha256:zz otto reader', /64 hexadecimal/],
      [`${tokens.reader} a reader\n${tokens.reader} b reader`, /a token again/],
    ] as const) {
      await writeFile(shop.file, line)
      await t.rejects(httpHandler(shop.node, { tokens: shop.file, log: false }), {
        code: 'invalid-option',
        message: says,
      })
    }
    await t.rejects(httpHandler(shop.node, { tokens: '/none/there', log: false }), {
      code: 'invalid-option',
      message: /cannot be read/,
    })
  },
)

await t.test('a function of the user finds out who asks', async t => {
  const http = await httpHandler(shop.node, {
    log: false,
    authenticate(request) {
      const name = request.headers.get('x-user')
      if (name === 'broken') throw new Error('the directory is away')
      return name === null ? undefined : { id: name, roles: ['reader'] }
    },
  })
  t.teardown(() => http.close())
  const status = async (headers: Record<string, string>) => {
    const response = await http.fetch(
      new Request('http://localhost/v1/nodes', { headers }),
    )
    return response.status
  }
  t.equal(await status({}), 401)
  t.equal(await status({ 'x-user': 'zoe' }), 200)
  t.equal(await status({ 'x-user': 'broken' }), 500)
})
