// Pulling and pushing messages to integration code, on each backend.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { publish } from '../../../src/actor/effects.js'
import { defineConsumer } from '../../../src/delivery/consumer/define-consumer.js'
import type { ConsumedMessage } from '../../../src/delivery/consumer/consumed-message.js'
import { isCairnError } from '../../../src/model/errors.js'
import { defineTopic } from '../../../src/model/topic.js'
import type { DeadLetter } from '../../../src/delivery/dead-letters/dead-letters.js'
import { TerminalError } from '../../../src/model/retry-policy.js'
import type { Backend } from '../../../src/backend/backend.js'
import { memory } from '../../../src/backend/memory.js'
import { deferred } from '../../../src/model/wait.js'
import type { Documents } from '../../../src/store/documents/documents.js'
import type { Node } from '../../../src/runtime/node.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { ManualClock } from '../../../src/testing/manual-clock.js'
import { onEachBackend } from '../../support/backends.js'
import { until } from '../../support/wait.js'

const patience = { timeout: 60_000 }
const placed = defineTopic('orders.placed')
const other = defineTopic('others.made')
const erp = defineConsumer({ name: 'erp', on: placed, ackWait: 30_000, attempts: 3 })

const order = defineActor({
  type: 'order',
  publishes: [placed, other],
  initialState: 0,
  decide: {
    place: (_state, n: number) => [
      event('placed', n),
      publish(placed, `${n} a`),
      publish(other, n),
      publish(placed, `${n} b`),
    ],
  },
  evolve: { placed: state => state + 1 },
})

const bound = (target: object, value: unknown): unknown =>
  typeof value === 'function' ? value.bind(target) : value

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error: unknown) => (isCairnError(error) ? error.code : String(error)),
  )

async function lettersOf({ deadLetters }: Node): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const letter of deadLetters.list()) letters.push(letter)
  return letters
}

const wait = { maxWait: 30_000 }

await onEachBackend(
  t,
  'A4.1 publish returns sequence and time, and the consumer receives the correlation',
  async (t, scene) => {
    const node = await scene(t).start({})
    const stored = await node.publish(placed, new Uint8Array([1, 0, 255]), {
      id: 'é 1',
      correlationId: 'ride-7',
    })
    t.type(stored.position, 'number')
    t.type(stored.at, 'number')
    const [message, ...rest] = await node.consumer(erp).consume({ batch: 5, ...wait })
    t.strictSame(rest, [])
    t.strictSame(Object.keys(message!).toSorted(), [
      'ackToken',
      'headers',
      'payload',
      'publishedAt',
      'sequence',
      'subject',
    ])
    t.equal(message!.subject, 'orders.placed')
    t.strictSame([...(message!.payload as Uint8Array)], [1, 0, 255])
    t.equal(message!.sequence, stored.position)
    t.match(message!.publishedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    t.match(message!.headers, {
      'Cairn-Message': '%C3%A9%201',
      'Cairn-Correlation': 'ride-7',
      'Cairn-Attempt': '1',
    })
  },
)

await onEachBackend(
  t,
  'A4.2 batches, waits, signals and undeclared names',
  async (t, scene) => {
    const { start } = scene(t)
    const node = await start({})
    const missing = node.consumer('erp')
    t.equal(await codeOf(missing.consume()), 'unknown-consumer')
    await t.rejects(missing.consume(), { message: /node\.consumer\(defineConsumer/ })
    t.equal(await codeOf(node.consumer('no such.name').consume()), 'unknown-consumer')
    const consumer = node.consumer(erp)
    t.strictSame(await consumer.consume({ maxWait: 0 }), [], 'nothing is there')
    t.strictSame(await consumer.consume({ maxWait: 30 }), [], 'nothing has come')
    const giveUp = new AbortController()
    const waiting = codeOf(consumer.consume({ ...wait, signal: giveUp.signal }))
    giveUp.abort()
    t.equal(await waiting, 'aborted')

    const many = Array.from({ length: 1_010 }, (_, n) => n)
    await Promise.all(many.map(n => node.publish(placed, n)))
    t.equal((await consumer.consume({ batch: 0, ...wait })).length, 1, '0 is taken as 1')
    const thousand = await consumer.consume({ batch: 5_000, ...wait })
    t.equal(thousand.length, 999, 'no more than 1,000 are out at a time')
    t.strictSame(await consumer.consume({ batch: 5, maxWait: 0 }), [])
    await Promise.all(thousand.map(({ ackToken }) => consumer.ack(ackToken)))
    // By its name after it was declared, on another node.
    const far = await start({})
    const rest = await far.consumer('erp').consume({ batch: 1_000, ...wait })
    t.equal(rest.length, 10)
    // A waiting consumer is woken by a new message.
    await Promise.all(rest.map(({ ackToken }) => far.consumer('erp').ack(ackToken)))
    const next = far.consumer('erp').consume(wait)
    await node.publish(other, 'not for it')
    await node.publish(placed, 'for it')
    t.match(await next, [{ payload: 'for it' }])
    const widened = defineConsumer({ name: 'erp', on: [placed, other] })
    t.equal(await codeOf(node.consumer(widened).consume()), 'invalid-definition')
  },
)

await onEachBackend(
  t,
  'A4.3 tokens settle once, from any node, and cannot be forged',
  async (t, scene) => {
    const { start } = scene(t)
    const [node, far] = [await start({}), await start({})]
    const here = node.consumer(erp)
    const there = far.consumer('erp')
    for (const n of [1, 2, 3, 4]) await node.publish(placed, n, { key: 'k' })
    const [one, two, three, four] = await here.consume({ batch: 4, ...wait })
    await there.ack(one!.ackToken)
    t.equal(await codeOf(here.ack(one!.ackToken)), 'invalid-token', 'a second ack')
    t.equal(await codeOf(there.nak(one!.ackToken)), 'invalid-token')
    const parts = two!.ackToken.split('.')
    const forged = [
      '',
      'erp',
      '$JS.API.STREAM.DELETE.CAIRN_x',
      [...parts.slice(0, -1), 'x'].join('.'),
      [...parts.slice(0, -1), ''].join('.'),
      ['erp2', ...parts.slice(1)].join('.'),
      three!.ackToken.replace(/[^.]+$/, parts.at(-1)!),
    ]
    for (const token of forged)
      t.equal(await codeOf(there.ack(token)), 'invalid-token', token)

    // Returned: it is given out again, and its old token is invalid.
    await there.nak(two!.ackToken)
    const [again] = await there.consume(wait)
    t.match(again, { payload: 2, headers: { 'Cairn-Attempt': '2' } })
    t.equal(await codeOf(here.ack(two!.ackToken)), 'invalid-token')
    await here.nak(again!.ackToken, 3_600_000)
    t.strictSame(await here.consume({ maxWait: 30 }), [], 'not before its time')
    t.match(await here.status(), { pending: 2, waiting: 1 })
    await here.extend(three!.ackToken, 60_000)
    await there.ack(three!.ackToken)

    await here.term(four!.ackToken, 'no such customer')
    t.equal(await codeOf(here.extend(four!.ackToken)), 'invalid-token')
    t.match(await lettersOf(node), [
      {
        reactor: 'consumer:erp',
        reason: 'terminal',
        attempts: 1,
        message: { data: 4 },
        error: { message: 'no such customer' },
      },
    ])
    // It can be sent again, to this consumer alone.
    const [letter] = await lettersOf(node)
    await node.deadLetters.retry(letter!.position)
    const [back] = await here.consume(wait)
    t.match(back, { payload: 4, headers: { 'Cairn-Message': letter!.message.id } })
    await here.ack(back!.ackToken)
    t.strictSame(await lettersOf(node), [])
    t.equal(await codeOf(here.nak(back!.ackToken, -1)), 'invalid-option')
  },
)

await onEachBackend(
  t,
  'A4.3 an unsettled message is given out again, and becomes a dead letter after its attempts',
  async (t, scene) => {
    const node = await scene(t).start({})
    const hasty = defineConsumer({ name: 'hasty', on: placed, ackWait: 20, attempts: 2 })
    const consumer = node.consumer(hasty)
    await node.publish(placed, 'lost')
    const [first] = await consumer.consume(wait)
    const [second] = await consumer.consume(wait)
    t.match(
      [first, second],
      [{ headers: { 'Cairn-Attempt': '1' } }, { headers: { 'Cairn-Attempt': '2' } }],
    )
    t.equal(await codeOf(consumer.ack(first!.ackToken)), 'invalid-token')
    await until(async () => {
      t.strictSame(await consumer.consume({ maxWait: 0 }), [])
      return (await lettersOf(node)).length === 1
    }, patience)
    t.match(await lettersOf(node), [{ reason: 'max-attempts-exhausted', attempts: 2 }])
    t.match(await consumer.status(), { pending: 0, waiting: 0 })
  },
)

await onEachBackend(
  t,
  'A4.4 ten messages are published, consumed and acknowledged, and none is redelivered',
  async (t, scene) => {
    const node = await scene(t).start({ actors: [order] })
    const brief = defineConsumer({ name: 'brief', on: placed, ackWait: 200 })
    const consumer = node.consumer(brief)
    for (let n = 0; n < 10; n++) await node.publish(placed, n)
    const messages = await consumer.consume({ batch: 10, ...wait })
    t.strictSame(
      messages.map(({ payload }) => payload),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    )
    await Promise.all(messages.map(({ ackToken }) => consumer.ack(ackToken)))
    t.match(await consumer.status(), { pending: 0, waiting: 0 })
    t.strictSame(await consumer.consume({ maxWait: 400 }), [], 'also after its time')

    // Messages that actors publish in their commits arrive the same way, one at a time.
    await node.spawn(order, 'x').ask('place', 1, { correlationId: 'ride-8' })
    await node.spawn(order, 'x').ask('place', 2)
    const heard: ConsumedMessage[] = []
    while (heard.length < 4) {
      const [message] = await consumer.consume(wait)
      await consumer.ack(message!.ackToken)
      heard.push(message!)
    }
    t.strictSame(
      heard.map(({ payload }) => payload),
      ['1 a', '1 b', '2 a', '2 b'],
    )
    t.match(heard[1]!.headers, {
      'Cairn-Message': 'order/x/1#2',
      'Cairn-Actor': 'order/x',
      'Cairn-Correlation': 'ride-8',
    })
    t.match(await consumer.status(), { pending: 0, waiting: 0 })
  },
)

await onEachBackend(
  t,
  'A4.4 several nodes share the messages, and each message goes to one',
  async (t, scene) => {
    const { start } = scene(t)
    const nodes = [await start({}), await start({}), await start({})]
    const count = 150
    await Promise.all(
      Array.from({ length: count }, (_, n) => nodes[0]!.publish(placed, n)),
    )
    const taken: unknown[] = []
    await Promise.all(
      nodes.map(async node => {
        const consumer = node.consumer(erp)
        while (taken.length < count) {
          const messages = await consumer.consume({ batch: 7, maxWait: 50 })
          for (const { payload } of messages) taken.push(payload)
          await Promise.all(messages.map(({ ackToken }) => consumer.ack(ackToken)))
        }
      }),
    )
    t.equal(taken.length, count)
    t.equal(new Set(taken).size, count)
  },
)

await onEachBackend(
  t,
  'A4.5 a trigger continues after a poison message, stops, and starts again',
  async (t, scene) => {
    const node = await scene(t).start({ actors: [order] })
    const handled: unknown[] = []
    const seen: ConsumedMessage[] = []
    const trigger = node.trigger(erp, message => {
      seen.push(message)
      if (message.payload === 'poison') throw new Error('cannot be')
      if (message.payload === 'bad') throw new TerminalError('no such thing')
      handled.push(message.payload)
    })
    await trigger.start()
    t.equal(await codeOf(trigger.start()), 'invalid-option', 'it is started already')
    await node.publish(placed, new Uint8Array([0, 200]))
    await node.publish(placed, 'poison')
    await node.publish(placed, 'bad')
    for (let n = 0; n < 20; n++) await node.publish(placed, n)
    await until(() => handled.length === 21, patience)
    t.strictSame(handled.slice(1), [...Array.from({ length: 20 }).keys()])
    t.strictSame([...(seen[0]!.payload as Uint8Array)], [0, 200])
    t.equal(Object.keys(seen[0]!).length, 6)
    await until(async () => (await lettersOf(node)).length === 2, patience)
    t.match(await lettersOf(node), [
      {
        reason: 'terminal',
        attempts: 1,
        message: { data: 'bad' },
        error: { name: 'TerminalError', message: 'no such thing' },
      },
      {
        reason: 'max-attempts-exhausted',
        attempts: 3,
        message: { data: 'poison' },
        error: { message: 'cannot be' },
      },
    ])
    const tries = seen.filter(({ payload }) => payload === 'poison')
    t.strictSame(
      tries.map(({ headers }) => headers['Cairn-Attempt']),
      ['1', '2', '3'],
    )
    await trigger.stop()
    t.match(trigger.stats(), { isRunning: false, handling: 0, handled: 21, failures: 4 })
    await trigger.stop()
    await node.publish(placed, 'later')
    t.equal(handled.length, 21, 'nothing is handled while it is stopped')
    await trigger.start()
    await until(() => handled.at(-1) === 'later', patience)
    t.equal(await codeOf(node.trigger('nobody', () => {}).start()), 'unknown-consumer')
  },
)

await onEachBackend(
  t,
  'A0.9 a trigger is stopped, started and stopped again, and each stop waits for the function',
  async (t, scene) => {
    const node = await scene(t).start({})
    const steps: string[] = []
    let finish = () => {}
    const trigger = node.trigger(erp, async ({ payload }, signal) => {
      steps.push(`${String(payload)} begun`)
      await new Promise<void>(resolve => (finish = resolve))
      steps.push(`${String(payload)} ${signal.aborted ? 'aborted' : 'ended'}`)
    })
    await trigger.stop()
    await node.publish(placed, 1)
    for (const round of [1, 2]) {
      await trigger.start()
      await until(() => steps.at(-1) === `${round} begun`, patience)
      const stopping = trigger.stop(120_000).then(() => steps.push('stopped'))
      await node.publish(placed, round + 1)
      finish()
      await stopping
    }
    t.strictSame(steps, [
      '1 begun',
      '1 ended',
      'stopped',
      '2 begun',
      '2 ended',
      'stopped',
    ])
    t.match(trigger.stats(), { isRunning: false, handling: 0, handled: 2, failures: 0 })
    t.match(await node.consumer(erp).status(), { pending: 0, waiting: 0 }, 'acknowledged')
    const [rest, ...none] = await node.consumer(erp).consume({ batch: 5, ...wait })
    t.match(rest, { payload: 3, headers: { 'Cairn-Attempt': '1' } })
    t.strictSame(none, [], 'and not given out again')
  },
)

await onEachBackend(
  t,
  'A1.4 a late settlement is refused, and changes nothing',
  async (t, scene) => {
    const { start, backend, namespace } = scene(t)
    const clock = new ManualClock(1_700_000_000_000)
    const [node, far] = [await start({ clock }), await start({ clock })]
    const [here, there] = [node.consumer(erp), far.consumer(erp)]
    const open = await backend.open({ namespace, nodeId: 'looker' })
    t.teardown(() => open.close())
    /** All that is known of the messages that are out. */
    const known = async () => open.documents.get(['consumer', 'erp'])
    const late: Readonly<Record<string, (token: string) => Promise<void>>> = {
      ack: token => here.ack(token),
      nak: token => here.nak(token),
      'nak with a delay': token => here.nak(token, 60_000),
      release: token => here.release(token),
      term: token => here.term(token, 'late'),
      extend: token => here.extend(token, 3_600_000),
    }
    const refused = async (token: string, after: string) => {
      const before = await known()
      for (const [name, settle] of Object.entries(late)) {
        t.equal(await codeOf(settle(token)), 'invalid-token', `${name} after ${after}`)
        t.strictSame(await known(), before, `${name} after ${after} changes nothing`)
      }
      t.strictSame(await lettersOf(node), [])
    }
    await node.publish(placed, 'lost')
    const [first] = await here.consume(wait)
    clock.advance(30_000)
    const [second] = await there.consume(wait)
    t.match(second, { payload: 'lost', headers: { 'Cairn-Attempt': '2' } })
    await refused(first!.ackToken, 'the lease was lost')
    await there.nak(second!.ackToken)
    await refused(second!.ackToken, 'it was returned')
    const [third] = await here.consume(wait)
    t.match(third, { payload: 'lost', headers: { 'Cairn-Attempt': '3' } })
    await there.ack(third!.ackToken)
    await refused(third!.ackToken, 'it was acknowledged')
    clock.advance(24 * 3_600_000)
    t.strictSame(await there.consume({ maxWait: 0 }), [], 'nothing is given out again')
    t.match(await there.status(), { pending: 0, waiting: 0 })
  },
)

await onEachBackend(
  t,
  'A4.5 a slow function keeps its lease, and a stop releases it',
  async (t, scene) => {
    const node = await scene(t).start({})
    const slow = defineConsumer({
      name: 'slow',
      on: placed,
      ackWait: 400,
      attempts: 1,
    })
    const starts: string[] = []
    let finish = () => {}
    const trigger = node.trigger(slow, async ({ headers }, signal) => {
      starts.push(headers['Cairn-Attempt']!)
      await new Promise<void>((resolve, reject) => {
        finish = resolve
        signal.addEventListener('abort', () => reject(new Error('cut short')))
      })
    })
    await node.publish(placed, 'long')
    await trigger.start()
    await until(() => starts.length === 1, patience)
    const since = performance.now()
    await until(() => performance.now() - since > 1_000, patience)
    t.strictSame(await node.consumer(slow).consume({ maxWait: 0 }), [], 'nobody gets it')
    finish()
    await until(() => trigger.stats().handled === 1, patience)
    await node.publish(placed, 'cut')
    await until(() => starts.length === 2, patience)
    await trigger.stop(0)
    const [back] = await node.consumer(slow).consume(wait)
    t.match(back, { payload: 'cut', headers: { 'Cairn-Attempt': '1' } })
    t.strictSame(await lettersOf(node), [])
  },
)

await t.test(
  'CONSUMER-6 a node is not settled while a trigger takes a message over',
  async t => {
    const backend = memory()
    const passingOn = deferred<void>()
    const leased = deferred<void>()
    let isArmed = false
    const slow: Backend = {
      kind: backend.kind,
      async open(options) {
        const open = await backend.open(options)
        const put: Documents['put'] = async (key, value, revision) => {
          const result = await open.documents.put(key, value, revision)
          if (!isArmed || !key.includes('erp')) return result
          leased.resolve()
          await passingOn.promise
          return result
        }
        const documents = new Proxy(open.documents, {
          get: (target, name) =>
            name === 'put' ? put : bound(target, Reflect.get(target, name, target)),
        })
        return { ...open, documents }
      },
    }
    const node = await startNode({ namespace: 'taken-over', store: slow })
    t.teardown(() => node.close())
    const handled: unknown[] = []
    const trigger = node.trigger(erp, ({ payload }) => void handled.push(payload))
    await trigger.start()
    await node.settled()
    isArmed = true
    await node.publish(placed, 'one')
    await leased.promise
    t.strictSame(handled, [], 'the lease is stored, and the message is not passed on')
    t.match((await node.activity()).unsettled, [/the trigger on erp has messages/])
    passingOn.resolve()
    await node.settled()
    t.strictSame(handled, ['one'])
  },
)

await t.test('invalid options are rejected', async t => {
  const refused = (spec: object, message: RegExp) =>
    t.throws(() => defineConsumer({ name: 'x', on: placed, ...spec }), {
      code: 'invalid-definition',
      message,
    })
  refused({ name: 'a.b' }, /name of a consumer is "a.b"/)
  refused({ on: [] }, /on of consumer x is empty/)
  refused({ ackWait: 0 }, /ackWait of consumer x is 0/)
  refused({ attempts: 0 }, /attempts of consumer x is 0/)
})
