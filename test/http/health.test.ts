// /healthz and /readyz follow what happens to a node: its start, its server's death and return, a blocked event loop, and
// its drain.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { httpHandler } from '../../src/doors/http.js'
import { embedded, jetstream, startNode } from '../../src/index.js'
import type { Node } from '../../src/index.js'
import { deferred } from '../../src/model/wait.js'
import { startNode as startProcess } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { type Body, openShop } from './shop.js'

const get = (url: string, timeout = 10_000) =>
  fetch(url, { signal: AbortSignal.timeout(timeout) })

await t.test('readiness follows the death and the return of the server', async t => {
  const server = await startNats()
  t.teardown(() => server.stop())
  await using node = await startNode({
    namespace: 'health',
    store: jetstream({ servers: server.url }),
    serve: true,
    log: false,
  })
  const http = await httpHandler(node, { log: false })
  t.teardown(() => http.close())
  const ask = async (path: string) => {
    const response = await http.fetch(new Request(`http://localhost${path}`))
    return { status: response.status, body: (await response.json()) as Body }
  }
  t.strictSame(await ask('/readyz'), {
    status: 200,
    body: {
      status: 'ready',
      checks: { store: { ok: true }, caughtUp: { ok: true }, accepting: { ok: true } },
    },
  })
  await server.kill()
  const away = await until(async () => {
    const answer = await ask('/readyz')
    return answer.status === 503 && answer
  })
  t.match(away.body, {
    status: 'not-ready',
    checks: { store: { ok: false, reason: String }, accepting: { ok: true } },
  })
  t.equal((await ask('/healthz')).status, 200, 'the process lives')
  await server.restart()
  await until(async () => (await ask('/readyz')).status === 200)
})

await t.test(
  'a node that starts is alive and not ready, and one that drains',
  async t => {
    const starting = deferred<Node>()
    const http = await httpHandler(starting.promise, {
      anonymous: ['reader'],
      log: false,
    })
    t.teardown(() => http.close())
    const status = async (path: string) => {
      const response = await http.fetch(new Request(`http://localhost${path}`))
      const body = (await response.json()) as Body
      return [response.status, body.status ?? body.code]
    }
    t.strictSame(await status('/readyz'), [503, 'starting'])
    t.strictSame(await status('/healthz'), [200, 'alive'])
    t.strictSame(await status('/v1/nodes'), [503, 503])
    await using shop = await openShop()
    starting.resolve(shop.node)
    await until(async () => (await status('/readyz'))[0] === 200)
    http.drain()
    t.strictSame(await status('/readyz'), [503, 'draining'])
    t.strictSame(await status('/healthz'), [200, 'alive'])
    t.strictSame(await status('/v1/nodes'), [503, 503])
  },
)

await t.test('a node that closes is not ready', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-health-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const node = await startNode({
    namespace: 'closing',
    store: embedded({ dir }),
    log: false,
  })
  const closing = node.close()
  const { isReady, checks } = await node.health()
  t.notOk(isReady)
  t.match(checks.accepting, { ok: false, reason: 'this node is closing' })
  await closing
})

await t.test('the program: a blocked event loop, and a drain', async t => {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-health-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const args = ['--ns', 'health', '--embedded', dir]
  const actors = ['--actors', 'test/support/actors/blocking.mjs']
  await using node = await startProcess(
    ...args,
    ...actors,
    '--http',
    '127.0.0.1:0',
    '--metrics',
    '127.0.0.1:0',
  )
  const urlIn = (msg: string) => String(node.lines.find(line => line.msg === msg)!.url)
  const [api, metrics] = [urlIn('http ready'), urlIn('metrics ready')]
  await until(async () => (await get(`${api}/readyz`)).status === 200)
  t.equal((await get(`${metrics}/readyz`)).status, 200)
  t.match(await (await get(`${metrics}/metrics`)).text(), /cairn_node_info\{/)
  t.equal((await get(`${metrics}/v1/nodes`)).status, 404, 'metrics alone')

  const send = (path: string, body: unknown) =>
    fetch(`${api}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const blocked = send('/v1/actors/blocker/b/ask/block', { ms: 3_000 })
  await until(async () => {
    const answer = await get(`${metrics}/healthz`, 500).catch(() => undefined)
    return answer === undefined
  })
  t.equal((await blocked).status, 200)
  t.equal((await get(`${metrics}/healthz`)).status, 200, 'it is back')
  t.equal((await get(`${api}/readyz`)).status, 200)
  const [, max] = /^nodejs_eventloop_lag_max_seconds (.*)$/m.exec(
    await (await get(`${metrics}/metrics`)).text(),
  )!
  t.ok(Number(max) > 1, `the delay of ${max} s is seen`)

  // A request that is under way when the node begins to drain is answered.
  const tail = await fetch(`${api}/v1/events/stream?after=0`)
  const stream = tail.body!.getReader()
  await stream.read()
  const last = send('/v1/consumers/none/consume', { maxWait: 1 })
  const stopped = node.stop()
  let ended = false
  while (!ended) ended = (await stream.read()).done
  t.ok((await last).status >= 400)
  t.equal(await stopped, 0)
  await t.rejects(get(`${api}/healthz`), 'nothing listens any more')
})
