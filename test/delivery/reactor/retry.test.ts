// Retry policies, and the fields of the attempt log.

import t from 'tap'

import { defineActor } from '../../../src/actor/define-actor.js'
import { event } from '../../../src/actor/event.js'
import { publish } from '../../../src/actor/effects.js'
import { memory } from '../../../src/backend/memory.js'
import { defineTopic } from '../../../src/model/topic.js'
import { defineReactor } from '../../../src/delivery/reactor/define-reactor.js'
import {
  afterFailure,
  RetryableError,
  type RetryOptions,
  retryPolicy,
  type RetryPreset,
  TerminalError,
} from '../../../src/model/retry-policy.js'
import { startNode } from '../../../src/runtime/start-node.js'
import { takingLog } from '../../support/log.js'
import { until } from '../../support/wait.js'

const waits = (options: RetryOptions | RetryPreset | undefined, count: number) => {
  const policy = retryPolicy(options)
  return Array.from({ length: count }, (_, i) =>
    afterFailure(policy, i + 1, new Error('no')),
  )
}
const last = 'max-attempts-exhausted'

await t.test('A0.8 A2.2 delays follow the policy', async t => {
  t.strictSame(waits(undefined, 5), [1_000, 2_000, 4_000, 8_000, last], 'the default')
  t.strictSame(waits('deterministic-exponential-v1', 3), [1_000, 2_000, last])
  t.strictSame(
    waits({ attempts: 9, first: 1_000, max: 30_000 }, 7),
    [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000],
  )
  t.strictSame(waits({ attempts: 4, kind: 'linear', first: 100, max: 250 }, 4), [
    100,
    200,
    250,
    last,
  ])
  t.strictSame(waits({ attempts: 3, kind: 'fixed', first: 100 }, 3), [100, 100, last])
  t.strictSame(waits({ attempts: Infinity, first: 1 }, 1), [1])
  const huge = retryPolicy({ attempts: Infinity })
  t.equal(afterFailure(huge, 1_000_000, new Error('no')), 30_000)
  for (const wait of waits(
    { kind: 'fixed', first: 1_000, attempts: 50, jitter: 0.2 },
    49,
  ))
    t.ok(Number(wait) >= 800 && Number(wait) <= 1_000, String(wait))
})

await t.test('A0.8 a terminal or retryable error overrides the policy', async t => {
  const policy = retryPolicy({ attempts: 3, first: 10, when: () => false })
  t.equal(afterFailure(policy, 1, new Error('no')), 'terminal')
  t.equal(afterFailure(policy, 1, new RetryableError('yes')), 10)
  t.equal(afterFailure(policy, 1, new RetryableError('yes', { after: 77 })), 77)
  t.equal(afterFailure(policy, 3, new RetryableError('yes')), last)
  t.equal(afterFailure(retryPolicy(), 1, new TerminalError('never')), 'terminal')
  // An error class of another copy of the package.
  const brand = Symbol.for('cairn.retry')
  t.equal(afterFailure(retryPolicy(), 1, { [brand]: 'terminal' }), 'terminal')
})

await t.test('invalid policies are rejected', async t => {
  const bad: unknown[] = [
    'exponential',
    { attempts: 0 },
    { attempts: 1.5 },
    { first: -1 },
    { factor: NaN },
    { max: 0 },
    { jitter: 2 },
    { kind: 'random' },
    { when: true },
  ]
  for (const options of bad)
    t.throws(() => retryPolicy(options as RetryOptions), { code: 'invalid-definition' })
})

await t.test(
  'A2.2 A2.4 A2.5 every attempt and every final outcome is logged with exactly these fields',
  async t => {
    const lines: Record<string, unknown>[] = []
    const take = (details: Record<string, unknown>) => void lines.push(details)
    const log = takingLog({
      debug: take,
      info: take,
      warn: take,
      error: take,
      fatal: take,
    })
    const topic = defineTopic('bookings.created')
    const booking = defineActor({
      type: 'booking',
      publishes: [topic],
      initialState: 0,
      decide: { create: () => [event('created'), publish(topic, 'x')] },
      evolve: { created: state => state },
    })
    const clock = { now: () => 1_700_000_000_000 }
    let isWell = false
    await using node = await startNode({
      namespace: 'attempts',
      store: memory(),
      actors: [booking],
      clock,
      log,
      reactors: [
        defineReactor({
          name: 'mails',
          on: topic,
          retry: 'deterministic-exponential-v1',
          handle() {
            if (!isWell) throw new TypeError('no route')
          },
        }),
      ],
    })
    const records = () =>
      lines.filter(({ event }) => String(event).startsWith('reactor.'))
    await node.spawn(booking, 'b').ask('create', undefined, { correlationId: 'c-1' })
    await until(() => records().length === 4, { timeout: 30_000 })
    const common = {
      reactor: 'mails',
      messageId: 'booking/b/1#0',
      topic: 'bookings.created',
      actor: 'booking/b',
      correlationId: 'c-1',
      position: 1,
      durationMs: 0,
      error: { name: 'TypeError', message: 'no route' },
    }
    const attempt = (n: number, backoffMs: number) => ({
      event: 'reactor.attempt',
      ...common,
      status: 'retry-scheduled',
      retry: {
        attempt: n,
        maxAttempts: 3,
        backoffMs,
        nextAttemptAt: new Date(1_700_000_000_000 + backoffMs).toISOString(),
      },
    })
    const end = {
      ...common,
      status: 'dead-letter',
      retry: { attempt: 3, maxAttempts: 3, backoffMs: null, nextAttemptAt: null },
      dlq: {
        terminal: true,
        queueName: 'mails.dlq',
        reason: 'max-attempts-exhausted',
        markedAt: new Date(1_700_000_000_000).toISOString(),
      },
    }
    t.strictSame(records(), [
      attempt(1, 1_000),
      attempt(2, 2_000),
      { event: 'reactor.attempt', ...end },
      { event: 'reactor.final', ...end },
    ])
    lines.length = 0
    isWell = true
    await node.publish(topic, 'y', { id: 'plain' })
    await until(() => records().length === 2, { timeout: 30_000 })
    const { error: _, ...rest } = common
    const well = {
      ...rest,
      messageId: 'plain',
      actor: null,
      correlationId: null,
      status: 'processed',
      retry: { attempt: 1, maxAttempts: 3, backoffMs: null, nextAttemptAt: null },
    }
    t.strictSame(records(), [
      { event: 'reactor.attempt', ...well },
      { event: 'reactor.final', ...well },
    ])
  },
)
