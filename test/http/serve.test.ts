// serveHttp(): what it serves, and where it listens.

import { Hono } from 'hono'
import t from 'tap'

import { serveHttp } from '../../src/doors/http.js'

const textOf = async (fetch: Parameters<typeof serveHttp>[0], path: string) => {
  await using server = await serveHttp(fetch, { port: 0 })
  const response = await globalThis.fetch(`${server.url}${path}`)
  return [response.status, await response.text()]
}

await t.test('it serves the fetch of a Hono application', async t => {
  const app = new Hono()
  app.get('/carts/:id', ({ req }) => new Response(`cart ${req.param('id')}`))
  t.strictSame(await textOf(app.fetch, '/carts/c-1'), [200, 'cart c-1'])
  t.match(await textOf(app.fetch, '/none'), [404])
})

await t.test('it serves functions that answer at once, or later', async t => {
  const now = ({ url }: Request) => new Response(new URL(url).pathname)
  const later = async (request: Request) => Promise.resolve(now(request))
  t.strictSame(await textOf(now, '/a'), [200, '/a'])
  t.strictSame(await textOf(later, '/b'), [200, '/b'])
})

await t.test('an address that is taken is refused', async t => {
  await using server = await serveHttp(() => new Response(), { port: 0 })
  await t.rejects(
    serveHttp(() => new Response(), { port: server.port }),
    { code: 'invalid-option', message: /free the port, or name another/ },
  )
})
