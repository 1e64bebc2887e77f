// Refused commands over HTTP: the principal of the login is the one that guards and limits see.

import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { limit } from '../../src/actor/limit.js'
import { memory } from '../../src/backend/memory.js'
import { httpHandler } from '../../src/doors/http.js'
import { startNode } from '../../src/runtime/start-node.js'

const account = defineActor({
  type: 'account',
  initialState: {},
  decide: { open: () => event('opened', {}), close: () => event('closed', {}) },
  evolve: { opened: state => state, closed: state => state },
  guard: ({ type, principal }) => type !== 'close' || principal === 'alice',
})

await t.test('a guard answers 403, and a limit 429 with Retry-After', async t => {
  await using node = await startNode({
    namespace: 'guards',
    store: memory(),
    actors: [account],
    log: false,
    middleware: [limit({ perSecond: 0.1, burst: 2, by: 'principal' })],
  })
  const http = await httpHandler(node, {
    authenticate: ({ headers }) => ({ id: headers.get('x-who')!, roles: ['writer'] }),
  })
  t.teardown(() => http.close())
  const ask = async (who: string, command: string) => {
    const response = await http.fetch(
      new Request(`http://localhost/v1/actors/account/a/ask/${command}`, {
        method: 'POST',
        headers: { 'x-who': who, 'content-type': 'application/json' },
        body: '{}',
      }),
    )
    return {
      status: response.status,
      headers: response.headers,
      body: await response.json(),
    }
  }
  t.match(await ask('bob', 'close'), {
    status: 403,
    body: { code: 'forbidden', retryable: false, details: { principal: 'bob' } },
  })
  t.match(await ask('alice', 'close'), { status: 200, body: { version: 1 } })
  t.equal((await ask('bob', 'open')).status, 200)
  const limited = await ask('bob', 'open')
  t.match(limited, { status: 429, body: { code: 'rate-limited', retryable: true } })
  const seconds = Number(limited.headers.get('retry-after'))
  t.ok(seconds >= 1 && seconds <= 10)
  t.equal(await node.store.lastPosition(), 2)
})
