// Messages of a consumer are settled by processes other than those that leased them, and are given
// out again when the process that leased them dies.

import t, { type Test } from 'tap'

import { embedded } from '../../../src/backend/embedded.js'
import { jetstream } from '../../../src/backend/jetstream.js'
import { defineConsumer } from '../../../src/delivery/consumer/define-consumer.js'
import { newId } from '../../../src/model/id.js'
import { defineTopic } from '../../../src/model/topic.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { run } from '../../multinode/harness.js'
import { startNats } from '../../support/nats.js'
import { startProxy } from '../../support/proxy.js'
import { until } from '../../support/wait.js'

const placed = defineTopic('orders.placed')

await using server = await startNats()
const dir = t.testdir()
const homes = [
  {
    name: 'JetStream',
    store: jetstream({ servers: server.url }),
    where: { servers: server.url },
  },
  { name: 'the embedded store', store: embedded({ dir }), where: { dir } },
]

for (const { name, store, where } of homes) {
  const scene = async (t: Test, ackWait: number) => {
    const namespace = `apart-${newId().slice(0, 8)}`
    const node = await startNode({ namespace, store })
    t.teardown(() => node.close())
    const consumer = node.consumer(defineConsumer({ name: 'erp', on: placed, ackWait }))
    /** The output of another process, which died directly after its last answer. */
    const elsewhere = async (work: object) => {
      const options = { ...where, namespace, consumer: 'erp', ...work }
      const program = run([
        'test/support/programs/consuming.mjs',
        JSON.stringify(options),
      ])
      await program.ended
      t.equal(program.stderr(), '')
      return JSON.parse(program.stdout()) as string[]
    }
    return { node, consumer, elsewhere }
  }

  await t.test(`A4.3 another process settles, on ${name}`, async t => {
    const { node, consumer, elsewhere } = await scene(t, 60_000)
    for (const n of [1, 2, 3, 4]) await node.publish(placed, n)
    const messages = await consumer.consume({ batch: 4, maxWait: 30_000 })
    const [one, two, three, four] = messages.map(({ ackToken }) => ackToken)
    const outcomes = await elsewhere({
      settle: [
        ['ack', one],
        ['ack', one],
        ['nak', two],
        ['ack', two],
        ['term', three],
        ['extend', four],
        ['ack', `${four!}0`],
        ['ack', '$JS.API.STREAM.DELETE.CAIRN_erp'],
      ],
    })
    t.strictSame(outcomes, [
      'settled',
      'invalid-token',
      'settled',
      'invalid-token',
      'settled',
      'settled',
      'invalid-token',
      'invalid-token',
    ])
    // The settlement was confirmed: it holds although the process died after the answer.
    t.match(await consumer.status(), { pending: 1, waiting: 1 })
    const [again, ...rest] = await consumer.consume({ batch: 4, maxWait: 30_000 })
    t.match(again, { payload: messages[1]!.payload, headers: { 'Cairn-Attempt': '2' } })
    t.strictSame(rest, [])
    await consumer.ack(again!.ackToken)
    await consumer.ack(four!)
    t.match(await consumer.status(), { pending: 0, waiting: 0 })
  })

  await t.test(
    `A4.4 messages of a dead process are given out again, on ${name}`,
    async t => {
      const { node, consumer, elsewhere } = await scene(t, 2_000)
      t.strictSame(
        await consumer.consume({ maxWait: 0 }),
        [],
        'it is known by its name now',
      )
      for (const n of [1, 2]) await node.publish(placed, n)
      t.equal((await elsewhere({ take: 2 })).length, 2)
      const back = new Map<unknown, string>()
      await until(
        async () => {
          const messages = await consumer.consume({ batch: 2, maxWait: 500 })
          for (const { payload, headers, ackToken } of messages) {
            await consumer.ack(ackToken)
            back.set(payload, headers['Cairn-Attempt']!)
          }
          return back.size === 2
        },
        { timeout: 60_000 },
      )
      for (const [payload, attempt] of back)
        t.ok(Number(attempt) > 1, `${String(payload)} had been given out before`)
      t.match(await consumer.status(), { pending: 0, waiting: 0 })
    },
  )
}

await t.test('A4.3 a settlement whose answer is lost is found out', async t => {
  await using proxy = await startProxy(server.url)
  const namespace = `lost-${newId().slice(0, 8)}`
  const store = jetstream({ servers: proxy.url, ignoreClusterUpdates: true })
  const node = await startNode({ namespace, store })
  t.teardown(() => node.close())
  const consumer = node.consumer(
    defineConsumer({ name: 'erp', on: placed, ackWait: 600_000 }),
  )
  const count = 6
  for (let n = 0; n < count; n++) await node.publish(placed, n)
  const messages = await consumer.consume({ batch: count, maxWait: 30_000 })
  t.equal(messages.length, count)
  for (const [n, { ackToken }] of messages.entries()) {
    let isDone = false
    const before = proxy.swallowed
    const acking = consumer.ack(ackToken).finally(() => (isDone = true))
    // Each run a little later: the answer to the read or to the write is lost.
    for (let turn = 0; turn < n * 2; turn++) await new Promise(next => setImmediate(next))
    proxy.dropReplies(true)
    await until(() => isDone || proxy.swallowed > before, { timeout: 60_000 })
    proxy.dropReplies(false)
    await acking
  }
  // Through a node that is connected to the server directly.
  const far = await startNode({ namespace, store: jetstream({ servers: server.url }) })
  t.teardown(() => far.close())
  t.match(await far.consumer('erp').status(), { pending: 0, waiting: 0 })
  for (const { ackToken } of messages)
    await t.rejects(far.consumer('erp').ack(ackToken), { code: 'invalid-token' })
})
