// Server-sent events: of the log and of watched actors, continued after a cut without a loss or a repetition.

import t from 'tap'

import { type Body, eventsOf, openShop } from './shop.js'
import { until } from '../support/wait.js'

await using shop = await openShop({ streamsMax: 3 })
const sell = (id: string, price: number) =>
  shop.json(`/v1/actors/till/${id}/ask/sell`, { body: { price } })

await t.test('a tail is continued after any of its events', async t => {
  await shop.json('/v1/actors/till/a/ask/sell', { body: { price: 1 } })
  // Two events of one commit share a position.
  await shop.node.store.append({ type: 'till', id: 'b' }, [
    { type: 'sold', data: { price: 2 } },
    { type: 'sold', data: { price: 3 } },
  ])
  await sell('a', 4)
  const all = await eventsOf(await shop.request('/v1/events/stream?after=0'), 4)
  t.strictSame(
    all.map(({ id, data }) => [id, data.actor, (data.data as Body).price]),
    [
      ['1-1', 'till/a', 1],
      ['2-1', 'till/b', 2],
      ['2-2', 'till/b', 3],
      ['3-2', 'till/a', 4],
    ],
  )
  for (const [i, { id }] of all.slice(0, -1).entries()) {
    const headers = { 'last-event-id': id! }
    const rest = await eventsOf(
      await shop.request('/v1/events/stream', { headers }),
      all.length - i - 1,
    )
    t.strictSame(rest, all.slice(i + 1), `after ${id}`)
  }
})

await t.test('a tail goes on with what comes, and may be of some types only', async t => {
  const response = await shop.request('/v1/events/stream?type=till')
  const coming = eventsOf(response, 2)
  await shop.node.store.append({ type: 'other', id: 'x' }, [{ type: 'ignored' }])
  await sell('c', 5)
  await sell('c', 6)
  t.strictSame(
    (await coming).map(({ data }) => data.actor),
    ['till/c', 'till/c'],
  )
})

await t.test('a watched actor begins with its state, and is continued', async t => {
  await sell('w', 1)
  const first = eventsOf(await shop.request('/v1/actors/till/w/watch'), 3)
  await until(() => shop.node.stats().watches.watchers === 1)
  await sell('w', 2)
  await sell('w', 3)
  const states = (list: Awaited<typeof first>) =>
    list.map(({ id, data }) => [id, data.version, (data.state as Body).sum])
  t.strictSame(states(await first), [
    ['1', 1, 1],
    ['2', 2, 3],
    ['3', 3, 6],
  ])
  t.match((await first)[0]!.data, { event: null, position: Number })
  t.match((await first)[1]!.data.event, { type: 'sold', version: 2 })
  const headers = { 'last-event-id': '1' }
  const rest = await eventsOf(
    await shop.request('/v1/actors/till/w/watch', { headers }),
    2,
  )
  t.strictSame(states(rest), [
    ['2', 2, 3],
    ['3', 3, 6],
  ])
  await until(() => shop.node.stats().watches.watchers === 0, {
    describe: 'a client that has left is watching no more',
  })
})

await t.test('Last-Event-ID wins over what the URL says', async t => {
  const idsOf = async (path: string, count: number, headers = {}) =>
    (await eventsOf(await shop.request(path, { headers }), count)).map(({ id }) => id)
  const watch = '/v1/actors/till/w/watch?from=0'
  t.strictSame(await idsOf(watch, 3), ['1', '2', '3'])
  t.strictSame(await idsOf(watch, 1, { 'last-event-id': '2' }), ['3'])
  t.strictSame(await idsOf(watch, 1, { 'last-event-id': '' }), ['1'], 'an empty one')
  const tail = '/v1/events/stream?after=0'
  t.strictSame(await idsOf(tail, 1), ['1-1'])
  t.strictSame(await idsOf(tail, 1, { 'last-event-id': '2-1' }), ['2-2'])
})

await t.test('events have the properties that the document names', async t => {
  const { body } = await shop.json('/v1/openapi.json')
  const { schemas } = body.components as {
    schemas: Record<string, { properties: object; required: string[] }>
  }
  const event = schemas.Event!
  const watched = await eventsOf(await shop.request('/v1/actors/till/w/watch?from=0'), 1)
  const { data } = watched[0]!
  t.strictSame(Object.keys(data).sort(), ['event', 'position', 'state', 'version'])
  t.match(watched, [{ event: 'state', id: '1' }])
  const tail = await eventsOf(await shop.request('/v1/events/stream?after=0'), 3)
  for (const found of [data.event as Body, ...tail.map(({ data }) => data)]) {
    const unknown = Object.keys(found).filter(name => !(name in event.properties))
    t.strictSame(unknown, [])
    t.match(found.at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  }
  t.strictSame(new Set(tail.map(({ event }) => event)), new Set(['event']))
})

await t.test('what is wrong has a status, before the stream begins', async t => {
  const status = async (path: string, headers = {}) => {
    const { status, body } = await shop.json(path, { headers })
    return [status, body.code]
  }
  const wrong = { 'last-event-id': 'wat' }
  t.strictSame(await status('/v1/events/stream', wrong), [400, 'invalid-request'])
  t.strictSame(await status('/v1/actors/till/w/watch', wrong), [400, 'invalid-request'])
  t.strictSame(await status('/v1/actors/till/w/watch?from=99'), [404, 'unknown-version'])
  t.strictSame(await status('/v1/actors/nobody/w/watch'), [404, 'unknown-actor-type'])
})

await t.test('no more streams than allowed, and none is left over', async t => {
  const open = async () => (await shop.request('/v1/events/stream')).body!
  const bodies = [await open(), await open(), await open()]
  t.match(await shop.json('/v1/events/stream'), {
    status: 429,
    body: { code: 'too-many-streams', retryable: true },
  })
  await bodies.pop()!.cancel()
  bodies.push(await open())
  const metrics = await (await shop.request('/metrics')).text()
  t.match(metrics, /^cairn_http_streams 3$/m)
  for (const body of bodies) await body.cancel()
})

await t.test('a drain ends the streams', async t => {
  const tail = await shop.request('/v1/events/stream')
  const watch = await shop.request('/v1/actors/till/w/watch')
  const ended = Promise.all([eventsOf(tail, 99), eventsOf(watch, 99)])
  shop.http.drain()
  const [ofTail, ofWatch] = await ended
  t.strictSame([ofTail.length, ofWatch.length], [0, 1], 'without an error')
})
