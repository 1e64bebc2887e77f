// The option `allow`: routes and actor types that requests may use.

import t from 'tap'

import { httpHandler, type HttpOptions, type Principal } from '../../src/doors/http.js'
import { openApiDocument } from '../../src/http/openapi.js'
import { openShop } from './shop.js'

await using shop = await openShop()

interface Operation {
  readonly operationId: string
}

const { paths } = openApiDocument() as {
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId }]) => ({
    path,
    method: method.toUpperCase(),
    id: operationId,
  })),
)

/** Asks as a principal with roles; answers are `STATUS` or `STATUS route`. */
async function openDoor(allow: HttpOptions['allow']) {
  const http = await httpHandler(shop.node, {
    allow,
    log: false,
    authenticate: ({ headers }) => ({
      id: 'somebody',
      roles: headers.get('x-roles')!.split(',') as Principal['roles'],
    }),
  })
  t.teardown(() => http.close())
  return async (
    path: string,
    { roles = 'writer', method = 'GET', body }: Partial<Record<string, string>> = {},
  ) => {
    const response = await http.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: { 'x-roles': roles, 'content-type': 'application/json' },
        ...(body !== undefined && { body }),
      }),
    )
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    if (!isJson) await response.body?.cancel()
    const { detail, route } = (isJson ? await response.json() : {}) as {
      detail?: string
      route?: string
    }
    return { status: response.status, detail, route }
  }
}

const sell = { method: 'POST', body: '{"price":5}' }

await t.test('for everybody: some routes of some types', async t => {
  const ask = await openDoor({ types: ['till'], routes: ['ask', 'watchActor'] })
  t.match(await ask('/v1/actors/till/a/ask/sell', sell), { status: 200 })
  t.match(await ask('/v1/actors/till/a/watch'), { status: 200 })
  for (const path of ['/v1/actors/other/a/ask/sell', '/v1/actors/%74ills/a/ask/sell'])
    t.match(await ask(path, sell), { status: 403, route: 'ask', detail: /for "/ })
  for (const { path, method, id } of operations) {
    if (id === 'ask' || id === 'watchActor') continue
    const filled = path.replace('{type}', 'till').replaceAll(/\{\w+\}/g, '1')
    t.match(await ask(filled, { method, roles: 'writer,operator' }), {
      status: 403,
      route: id,
      detail: new RegExp(`"somebody" may not use ${id} here`),
    })
  }
  t.match(await ask('/metrics'), { status: 403, route: 'metrics' })
  for (const path of ['/readyz', '/healthz', '/v1/openapi.json'])
    t.match(await ask(path), { status: 200 }, path)
  t.match(await ask('/v1/actors/till/a/ask/sell', { ...sell, roles: 'reader' }), {
    status: 403,
    detail: /does not have the role writer/,
  })
})

await t.test('types alone: what is about no type is refused', async t => {
  const ask = await openDoor({ types: ['till', 'other'] })
  t.match(await ask('/v1/actors/till/a/state'), { status: 200 })
  t.match(await ask('/v1/types/till/chart'), { status: 200 })
  t.match(await ask('/v1/types/secret/chart'), { status: 403 })
  for (const list of ['/v1/events', '/v1/events/stream']) {
    t.match(await ask(`${list}?type=till`), { status: 200 })
    t.match(await ask(`${list}?type=till&type=other`), { status: 200 })
    t.match(await ask(`${list}?type=till&type=secret`), {
      status: 403,
      detail: /for "secret"/,
    })
    t.match(await ask(list), { status: 403, detail: /without a type/ })
  }
  t.match(await ask('/v1/actors?type=till'), { status: 200 })
  t.match(await ask('/v1/actors'), { status: 403 })
  for (const path of ['nodes', 'node', 'me', 'timers', 'dead-letters', 'projections'])
    t.match(await ask(`/v1/${path}`), { status: 403 }, path)
  t.match(await ask('/v1/topics/sold/publish', sell), { status: 403, route: 'publish' })
})

await t.test('routes alone, and routes about no type beside types', async t => {
  const some = await openDoor({ routes: ['readState', 'metrics'] })
  t.match(await some('/v1/actors/other/a/state'), { status: 404 }, 'not hosted')
  t.match(await some('/metrics'), { status: 200 })
  t.match(await some('/v1/nodes'), { status: 403 })
  const both = await openDoor({ types: ['till'], routes: ['listNodes', 'listEvents'] })
  t.match(await both('/v1/nodes'), { status: 200 })
  t.match(await both('/v1/events'), { status: 403, detail: /without a type/ })
  const none = await openDoor({ routes: [] })
  t.match(await none('/v1/nodes'), { status: 403 })
})

await t.test('by role: a role that is left out may use all', async t => {
  const ask = await openDoor({ writer: { types: ['till'], routes: ['ask'] } })
  t.match(await ask('/v1/actors/till/a/ask/sell', sell), { status: 200 })
  t.match(await ask('/v1/nodes'), { status: 403, route: 'listNodes' })
  t.match(await ask('/v1/nodes', { roles: 'operator' }), { status: 200 })
  t.match(await ask('/v1/nodes', { roles: 'writer,reader' }), { status: 200 })
  t.match(
    await ask('/v1/actors/other/a/ask/sell', { ...sell, roles: 'writer,operator' }),
    {
      status: 403,
      route: 'ask',
    },
  )
  const readers = await openDoor({ reader: { routes: ['readState'] } })
  t.match(await readers('/v1/nodes', { roles: 'reader' }), { status: 403 })
  t.match(await readers('/v1/nodes', { roles: 'guest' }), { status: 403 })
  t.match(await readers('/v1/nodes'), { status: 200 }, 'a writer')
})

await t.test('what is no such option is refused', async t => {
  for (const [allow, message] of [
    [null, /allow is null: use an object/],
    [['till'], /use an object/],
    [{ route: ['ask'] }, /no option "route".*Did you mean routes/],
    [{ king: {} }, /no option "king"/],
    [{ types: ['till'], writer: {} }, /roles beside types or routes/],
    [{ writer: { type: ['till'] } }, /allow\.writer has no option "type"/],
    [{ writer: ['ask'] }, /allow\.writer is/],
    [{ routes: 'ask' }, /allow\.routes is "ask": use a list/],
    [{ routes: ['watch'] }, /"watch", which is no operation/],
    [{ reader: { routes: ['asks'] } }, /allow\.reader\.routes .*Did you mean ask/],
    [{ types: 'till' }, /allow\.types is "till": use a list/],
    [{ types: ['not a type'] }, /allow\.types has "not a type"/],
    [{ types: [7] }, /allow\.types has 7/],
  ] as const)
    await t.rejects(httpHandler(shop.node, { allow: allow as never, log: false }), {
      code: 'invalid-option',
      message,
    })
})
