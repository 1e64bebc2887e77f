// The headers that an application gives a message: stored with it, and with every reader until it is settled.

import { connect, headers as newHeaders } from 'nats'
import t from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { publish } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { jetstream } from '../../src/backend/jetstream.js'
import { encode } from '../../src/codec/msgpack.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import type { Message } from '../../src/delivery/messages/message.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { TerminalError } from '../../src/model/retry-policy.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { onEachBackend } from '../support/backends.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

const ended = defineTopic('trips.ended')
const caused = defineTopic('trips.billed')
const given = { tenant: 'acme', 'X-Note': 'na\u00efve 100 %', empty: '' }

const trip = defineActor({
  type: 'trip',
  publishes: [ended],
  initialState: {},
  decide: {
    end: (_state, n: number) => [
      event('ended', n),
      publish(ended, n, { headers: given }),
      publish(ended, -n),
    ],
    fail: (_state, headers: Record<string, string>) => [
      event('ended', 0),
      publish(ended, 0, { headers }),
    ],
  },
  evolve: { ended: state => state },
})

await onEachBackend(t, 'headers reach every reader of a message', async (t, scene) => {
  const { start } = scene(t)
  const handled: Message[] = []
  let isBroken = true
  const node = await start({
    actors: [trip],
    reactors: [
      defineReactor({
        name: 'billing',
        on: ended,
        async handle(message, context) {
          if (isBroken) throw new TerminalError('on purpose')
          handled.push(message)
          await context.publish(caused, message.data, {
            headers: { from: message.headers?.['tenant'] ?? 'nobody' },
          })
        },
      }),
    ],
  })
  await node.spawn(trip, 'a').ask('end', 1)
  await node.publish(ended, 2, { headers: given, key: 'k', principal: 'alice' })
  await node.publish(ended, 3)

  const letters = await until(async () => {
    const found = []
    for await (const { message } of node.deadLetters.list()) found.push(message)
    return found.length === 4 && found
  })
  const byData = (messages: readonly Message[]) =>
    Object.fromEntries(messages.map(({ data, headers }) => [String(data), headers]))
  const expected = { '1': given, '-1': undefined, '2': given, '3': undefined }
  t.strictSame(byData(letters), expected, 'dead letters keep them')

  isBroken = false
  await node.deadLetters.retryAll()
  await until(() => handled.length === 4)
  t.strictSame(byData(handled), expected, 'a message that is sent again has them')

  const consumer = node.consumer(defineConsumer({ name: 'erp', on: [ended, caused] }))
  const messages = await until(async () => {
    const found = await consumer.consume({ batch: 20 })
    for (const { ackToken } of found) await consumer.release(ackToken)
    return found.length === 8 && found
  })
  const plain = messages.find(({ payload }) => payload === 2)!
  t.match(plain.headers, {
    tenant: 'acme',
    'X-Note': 'na%C3%AFve%20100%20%25',
    empty: '',
    'Cairn-Attempt': '1',
    'Cairn-Principal': 'alice',
  })
  t.strictSame(
    messages
      .filter(({ subject }) => subject === caused.name)
      .map(({ headers }) => String(headers['from']))
      .toSorted(),
    ['acme', 'acme', 'nobody', 'nobody'],
    'what a handler publishes has its own',
  )
})

await onEachBackend(t, 'invalid headers are refused', async (t, scene) => {
  const { start } = scene(t)
  const node = await start({ actors: [trip] })
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`h${i}`, 'x']))
  const half = { half: '\ud800' }
  const cases: readonly (readonly [headers: unknown, says: RegExp])[] = [
    [{ 'Cairn-Message': 'x' }, /"Cairn-Message".* are reserved\. Use another prefix/],
    [{ 'nats-msg-id': 'x' }, /"nats-msg-id".* are reserved/],
    [{ Traceparent: 'x' }, /pass it as the option traceparent/],
    [{ 'two words': 'x' }, /"two words": use 1 to 64 characters/],
    [{ '': 'x' }, /a letter first/],
    [{ ['n'.repeat(65)]: 'x' }, /use 1 to 64 characters/],
    [{ number: 5 }, /have 5 as number: use well-formed text/],
    [half, /use well-formed text/],
    [many, /are 33: at most 32 are stored/],
    [{ long: 'x'.repeat(8_190) }, /have 8194 bytes: at most 8192/],
    [['x'], /pass texts by name/],
    ['x', /pass texts by name/],
  ]
  for (const [headers, says] of cases) {
    const error = { code: 'invalid-message', message: says }
    await t.rejects(node.publish(ended, 1, { headers: headers as never }), error)
    // A command whose data are not well-formed text is refused before it is decided.
    if (headers !== half)
      await t.rejects(node.spawn(trip, 'a').ask('fail', headers as never), error)
  }
  t.throws(() => publish(ended, 1, { header: {} } as never), { code: 'invalid-option' })
  t.equal(await node.store.lastPosition(), 0, 'nothing was stored')
  t.equal((await node.publish(ended, 1, { headers: {} })).position, 1)
})

await t.test('headers that another program sets are read, and kept', async t => {
  await using server = await startNats()
  const namespace = 'foreign'
  const node = await startNode({ namespace, store: jetstream({ servers: server.url }) })
  t.teardown(() => node.close())
  const nats = await connect({ servers: server.url })
  t.teardown(() => nats.close())
  const headers = newHeaders()
  for (const [name, value] of Object.entries({
    'Cairn-Wire': '1',
    'Cairn-Message': 'm-1',
    'Cairn-Schema': '1',
    'Cairn-At': '5',
    'Cairn-Colour': 'red',
    tenant: 'acme',
    share: '100%',
  }))
    headers.set(name, value)
  const body = encode({ data: 1 })
  await nats
    .jetstream()
    .publish(`cairn.${namespace}.topic.trips.ended`, body, { headers })

  const consumer = node.consumer(defineConsumer({ name: 'erp', on: ended }))
  const [message] = await consumer.consume()
  t.match(message!.headers, { tenant: 'acme', share: '100%25' })
  t.notOk('Cairn-Colour' in message!.headers)
  await consumer.term(message!.ackToken, 'on purpose')
  for await (const letter of node.deadLetters.list())
    t.match(letter.message, {
      headers: { tenant: 'acme', share: '100%' },
      otherHeaders: { 'Cairn-Colour': 'red' },
    })
})
