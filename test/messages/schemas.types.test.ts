// A0.1 Topics with schemas of real libraries: what may be published and what is read is inferred
// (this file has to compile), and what does not fit is refused by its path, with nothing stored.

import { connect } from 'nats'
import t from 'tap'
import * as v from 'valibot'
import { z } from 'zod'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { publish } from '../../src/actor/effects.js'
import { jetstream } from '../../src/backend/jetstream.js'
import type { StandardSchema } from '../../src/model/schema.js'
import {
  defineTopic,
  type MessageData,
  type MessageInput,
} from '../../src/model/topic.js'
import { defineConsumer } from '../../src/delivery/consumer/define-consumer.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { startNode } from '../../src/runtime/start-node.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

// The compiler calls two deferred conditional types identical only if their operands are.
type Probe<A> = <T>(probe: T) => T extends A ? 1 : 2
type Equal<A, B> = Probe<A> extends Probe<B> ? true : false
/** Fails to compile unless its type argument is `true`. */
function same<Check extends true>(check?: Check): Check | undefined {
  return check
}

const zodTopic = defineTopic('trips.zod', {
  schema: z.object({
    tripId: z.string().min(1),
    price: z.number().positive(),
    stops: z.array(z.object({ at: z.string() })).default([]),
    endedAt: z.iso.datetime().transform(text => Date.parse(text)),
  }),
})
const valibotTopic = defineTopic('trips.valibot', {
  schema: v.object({
    tripId: v.pipe(v.string(), v.minLength(1)),
    price: v.pipe(v.number(), v.minValue(0)),
    stops: v.optional(v.array(v.object({ at: v.string() })), []),
    endedAt: v.pipe(v.string(), v.isoTimestamp(), v.transform(Date.parse)),
  }),
})
/** By hand: what a library does, in few words. */
const handmade: StandardSchema<{ n: string }, { n: number }> = {
  '~standard': {
    version: 1,
    vendor: 'by hand',
    validate(value) {
      const n = Number((value as { n?: unknown } | null)?.n)
      return Number.isFinite(n)
        ? { value: { n } }
        : { issues: [{ message: 'no number', path: ['n'] }] }
    },
  },
}
const handTopic = defineTopic('trips.hand', { schema: handmade })
const plainTopic = defineTopic('trips.plain')

interface TripInput {
  tripId: string
  price: number
  stops?: { at: string }[] | undefined
  endedAt: string
}
interface Trip {
  tripId: string
  price: number
  stops: { at: string }[]
  endedAt: number
}
type Plain<T> = { [Key in keyof T]: T[Key] }
same<Equal<Plain<MessageInput<typeof zodTopic>>, Plain<TripInput>>>()
same<Equal<Plain<MessageData<typeof zodTopic>>, Plain<Trip>>>()
same<Equal<Plain<MessageInput<typeof valibotTopic>>, Plain<TripInput>>>()
same<Equal<Plain<MessageData<typeof valibotTopic>>, Plain<Trip>>>()
same<Equal<MessageInput<typeof handTopic>, { n: string }>>()
same<Equal<MessageData<typeof handTopic>, { n: number }>>()
same<Equal<MessageData<typeof plainTopic>, unknown>>()

defineReactor({
  name: 'typed',
  on: [zodTopic, handTopic],
  handle({ data }) {
    same<Equal<typeof data, MessageData<typeof zodTopic> | { n: number }>>()
  },
})
/** Never called: these have to be refused by the compiler. */
export function refused() {
  // @ts-expect-error -- price is missing
  publish(zodTopic, { tripId: 'a', endedAt: '' })
  // @ts-expect-error -- what is published is what the schema takes, not what it makes
  publish(valibotTopic, { tripId: 'a', price: 1, endedAt: 7 })
  // @ts-expect-error -- n is text
  publish(handTopic, { n: 1 })
}

const good = { tripId: 't1', price: 3, endedAt: '2026-01-01T00:00:00.000Z' }
const made = { tripId: 't1', price: 3, stops: [], endedAt: Date.parse(good.endedAt) }

const trip = defineActor({
  type: 'trip',
  publishes: [zodTopic, valibotTopic],
  initialState: 0,
  decide: {
    end: (_state, data: TripInput) => [
      event('ended'),
      publish(zodTopic, data),
      publish(valibotTopic, data),
    ],
  },
  evolve: { ended: state => state + 1 },
})

await using server = await startNats()

await t.test(
  'A0.1 data land on the topic of their schema, as the schema makes them; others are refused by path',
  async t => {
    const heard: unknown[][] = []
    const reader = defineReactor({
      name: 'reader',
      on: [zodTopic, valibotTopic, handTopic],
      handle: ({ topic, data }) => void heard.push([topic, data]),
    })
    await using node = await startNode({
      namespace: 'schemas',
      store: jetstream({ servers: server.url }),
      actors: [trip],
      reactors: [reader],
    })
    const ref = node.spawn(trip, 'x')
    const bad = { ...good, price: -1, stops: [{ at: 'a' }, { at: 7 }] } as never
    const paths = /price: .*stops\.1\.at: /
    const attempts: readonly (() => Promise<unknown>)[] = [
      () => node.publish(zodTopic, bad),
      () => node.publish(valibotTopic, bad),
      () => ref.ask('end', bad),
    ]
    for (const attempt of attempts) await t.rejects(attempt(), { message: paths })
    await t.rejects(node.publish(zodTopic, bad), {
      code: 'invalid-message',
      details: { issues: [{ path: 'price' }, { path: 'stops.1.at' }] },
    })
    await t.rejects(node.publish(handTopic, { n: 'x' }), {
      code: 'invalid-message',
      message: /n: no number/,
    })
    t.equal(await node.store.lastPosition(), 0, 'nothing is stored')
    await ref.ask('end', good)
    await node.publish(handTopic, { n: '7' })
    await until(() => heard.length === 3, { timeout: 60_000 })
    t.strictSame(
      heard.toSorted(([a], [b]) => String(a).localeCompare(String(b))),
      [
        ['trips.hand', { n: 7 }],
        ['trips.valibot', made],
        ['trips.zod', made],
      ],
    )
  },
)

await t.test(
  'A0.1 an undeclared topic is refused when it is published and when it is read, and nothing is stored',
  async t => {
    const undeclared = defineTopic('trips.undeclared')
    const newer = defineTopic('trips.plain', { schema: z.string(), version: 2 })
    /** What code without types may pass. */
    const byName = 'trips.plain' as never
    const courier = defineActor({
      type: 'courier',
      publishes: [plainTopic],
      initialState: 0,
      decide: {
        declared: () => [event('ended'), publish(plainTopic, 'declared')],
        undeclared: () => [event('ended'), publish(undeclared, 'undeclared')],
        newer: () => [event('ended'), publish(newer, 'newer')],
        byName: () => [event('ended'), publish(byName, 'by its name' as never)],
      },
      evolve: { ended: state => state + 1 },
    })
    const heard: unknown[] = []
    const reader = defineReactor({
      name: 'reader',
      on: [plainTopic, undeclared],
      handle: ({ topic, data }) => void heard.push([topic, data]),
    })
    await using node = await startNode({
      namespace: 'undeclared',
      store: jetstream({ servers: server.url }),
      actors: [courier],
      reactors: [reader],
    })
    const ref = node.spawn(courier, 'x')
    const names = { code: 'invalid-definition', message: /made by defineTopic/ }
    for (const command of ['undeclared', 'newer'] as const)
      await t.rejects(ref.ask(command), {
        code: 'invalid-definition',
        message: /published on trips\..*: add the topic to publishes/,
      })
    await t.rejects(ref.ask('byName'), names)
    for (const none of [byName, undefined as never, {} as never])
      await t.rejects(node.publish(none, 'by its name' as never), names)
    t.throws(() => defineReactor({ name: 'r', on: byName, handle() {} }), names)
    t.throws(
      () => defineReactor({ name: 'r', on: [plainTopic, byName], handle() {} }),
      names,
    )
    t.throws(() => defineConsumer({ name: 'c', on: byName }), names)
    t.throws(() => defineConsumer({ name: 'c', on: [plainTopic, byName] }), names)
    const nc = await connect({ servers: server.url })
    t.teardown(() => nc.close())
    const { streams } = await nc.jetstreamManager()
    for (const name of ['CAIRN_undeclared', 'CAIRN_undeclared_TOPICS']) {
      const { state } = await streams.info(name)
      t.equal(state.last_seq, 0, `nothing was ever stored in ${name}`)
    }

    t.match(await ref.ask('declared'), { ok: true, version: 1 }, 'the actor goes on')
    await until(() => heard.length > 0, { timeout: 60_000 })
    t.strictSame(heard, [['trips.plain', 'declared']])
  },
)

await t.test('a schema that answers with a promise is refused', async t => {
  const later = defineTopic('later', {
    schema: z.string().refine(async text => text !== ''),
  })
  t.throws(() => publish(later, 'x'), { code: 'invalid-definition', message: /promise/ })
  t.throws(() => defineTopic('x', { schema: {} as never }), {
    code: 'invalid-definition',
  })
})
