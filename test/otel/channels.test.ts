// The tracing channels without OpenTelemetry, and what a tracer sees of errors, batches and messages.

import { channel, tracingChannel } from 'node:diagnostics_channel'
import { ROOT_CONTEXT, SpanStatusCode, trace as traceApi } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import * as semantic from '@opentelemetry/semantic-conventions/incubating'
import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { memory } from '../../src/backend/memory.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { nodeMetrics } from '../../src/http/metrics/node-metrics.js'
import { defineTopic } from '../../src/model/topic.js'
import type { AskTrace, TraceName } from '../../src/model/trace.js'
import { conventions } from '../../src/otel/conventions.js'
import { startMetrics } from '../../src/otel/metrics.js'
import { startTracing } from '../../src/otel/tracing.js'
import { startNode } from '../../src/runtime/start-node.js'
import type { NodeOptions } from '../../src/runtime/options.js'
import { until } from '../support/wait.js'

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_state, data: number) => event('deposited', data),
    withdraw: (state, data: number) =>
      data > state.balance
        ? reject('too-little', 'There is less.')
        : event('withdrawn', data),
    fail() {
      throw new Error('on purpose')
    },
  },
  evolve: {
    deposited: (state, data: number) => ({ balance: state.balance + data }),
    withdrawn: (state, data: number) => ({ balance: state.balance - data }),
  },
})

async function start(t: Test, options: Partial<NodeOptions> = {}) {
  const node = await startNode({
    namespace: 'channels',
    store: memory(),
    actors: [account],
    log: false,
    ...options,
  })
  t.teardown(() => node.close())
  return node
}

function record(t: Test) {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  })
  const tracing = startTracing({ tracerProvider })
  t.teardown(() => tracing.stop())
  return { exporter, tracing, spans: () => exporter.getFinishedSpans() }
}

const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

await t.test(
  'a subscriber sees an operation with its result, and sets what is carried on',
  async t => {
    const node = await start(t)
    const seen: string[] = []
    const own = '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01'
    const subscribers = {
      start(context: AskTrace) {
        seen.push(`start ${context.actor.id} ${context.command} ${context.traceparent}`)
        context.traceparent = own
      },
      end() {},
      asyncStart() {},
      asyncEnd: ({ result }: AskTrace) =>
        void seen.push(`end ${(result as { version: number }).version}`),
      error() {},
    }
    const channels = tracingChannel<unknown, AskTrace>('cairn:ask' satisfies TraceName)
    channels.subscribe(subscribers)
    t.teardown(() => channels.unsubscribe(subscribers))
    await node.spawn(account, 'a').ask('deposit', 5, { traceparent: parent })
    t.strictSame(seen, [`start a deposit ${parent}`, 'end 1'])
    for await (const record of node.store.readAll())
      if (record.kind === 'commit') t.equal(record.traceparent, own)
  },
)

await t.test('without subscribers the causes stay as they were sent', async t => {
  t.notOk(channel('tracing:cairn:ask:start').hasSubscribers)
  const node = await start(t)
  await node.spawn(account, 'a').ask('deposit', 5, { traceparent: parent })
  await node.spawn(account, 'b').ask('deposit', 5)
  for await (const record of node.store.readAll())
    if (record.kind === 'commit')
      t.equal(record.traceparent, record.actor.id === 'a' ? parent : undefined)
})

await t.test('rejections and errors end their spans', async t => {
  const node = await start(t)
  const { spans } = record(t)
  const alice = node.spawn(account, 'alice')
  const refused = await alice.ask('withdraw', 5, { traceparent: parent })
  t.notOk(refused.ok)
  const [decide, command, ask] = spans()
  t.match(decide, { name: 'decide account/withdraw' })
  t.match(command, {
    name: 'command account/withdraw',
    status: { code: SpanStatusCode.UNSET },
    attributes: { 'cairn.rejection.code': 'too-little' },
  })
  t.equal(ask?.parentSpanContext?.spanId, 'b7ad6b7169203331')
  await t.rejects(alice.ask('fail'), { code: 'decide-failed' })
  for (const span of spans().slice(3))
    t.match(span, {
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'decide-failed' },
    })
  t.equal(spans().length, 6)
})

await t.test(
  'commands that share a commit keep their own traces, which the commit links',
  async t => {
    const node = await start(t)
    const { spans } = record(t)
    const bob = node.spawn(account, 'bob')
    await Promise.all([1, 2, 3, 4].map(amount => bob.ask('deposit', amount)))
    const commits = spans().filter(({ name }) => name === 'commit account')
    const batch = commits.find(({ links }) => links.length > 0)
    t.ok(batch, 'several were stored as one')
    const commands = spans().filter(({ name }) => name === 'command account/deposit')
    t.equal(new Set(commands.map(span => span.spanContext().traceId)).size, 4)
    t.ok(
      batch!.links.every(({ context }) =>
        commands.some(span => span.spanContext().spanId === context.spanId),
      ),
    )
    const stored = new Set<string | undefined>()
    for await (const one of node.store.readAll())
      if (one.kind === 'commit')
        for (const cause of one.commands ?? [one]) stored.add(cause.traceparent)
    t.equal(stored.size, 4)
  },
)

await t.test('publishing, handling, sending and telling are spans', async t => {
  const topic = defineTopic<{ n: number }>('things.seen')
  const handled: string[] = []
  const node = await start(t, {
    reactors: [
      defineReactor({
        name: 'seer',
        on: topic,
        handle: async ({ traceparent = '' }, { spawn }) => {
          handled.push(traceparent)
          await spawn(account, 'told').tell('deposit', 1)
        },
      }),
    ],
  })
  const { spans, tracing } = record(t)
  await node.publish(topic, { n: 1 }, { traceparent: parent })
  await node.spawn(account, 'sent').send('deposit', 1, { traceparent: parent })
  await until(
    () =>
      ['handle things.seen', 'deliver account'].every(name =>
        spans().some(span => span.name === name),
      ) && spans().filter(({ name }) => name === 'command account/deposit').length === 2,
  )
  const find = (name: string) => spans().find(span => span.name === name)!
  t.ok(spans().every(span => span.spanContext().traceId === parent.slice(3, 35)))
  t.equal(
    find('handle things.seen').parentSpanContext?.spanId,
    find('publish things.seen').spanContext().spanId,
  )
  t.equal(
    find('deliver account').parentSpanContext?.spanId,
    find('send account').spanContext().spanId,
  )
  t.match(handled, [new RegExp(find('handle things.seen').spanContext().spanId)])
  tracing.stop()
  const count = spans().length
  await node.spawn(account, 'c').ask('deposit', 1)
  t.equal(spans().length, count, 'a stopped tracing makes no spans')
})

await t.test('a tracer that fails affects no command', async t => {
  const node = await start(t)
  const tracing = startTracing({
    tracerProvider: {
      getTracer: () => ({
        startSpan() {
          throw new Error('broken tracer')
        },
        startActiveSpan() {
          throw new Error('broken tracer')
        },
      }),
    },
  })
  t.teardown(() => tracing.stop())
  t.match(await node.spawn(account, 'd').ask('deposit', 1), { ok: true })
})

await t.test('without an SDK the given traceparent is carried on', async t => {
  const node = await start(t)
  const tracing = startTracing()
  t.teardown(() => tracing.stop())
  t.equal(traceApi.getSpan(ROOT_CONTEXT), undefined)
  await node.spawn(account, 'e').ask('deposit', 1, { traceparent: parent })
  await node.spawn(account, 'f').ask('deposit', 1)
  for await (const one of node.store.readAll())
    if (one.kind === 'commit')
      t.equal(one.traceparent, one.actor.id === 'e' ? parent : undefined)
})

await t.test('the metrics of a node have the names of /metrics', async t => {
  const node = await start(t)
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: 3_600_000,
  })
  const meterProvider = new MeterProvider({ readers: [reader] })
  t.teardown(() => meterProvider.shutdown())
  using _metrics = startMetrics(node, { meterProvider })
  await node.spawn(account, 'g').ask('deposit', 1)
  await reader.forceFlush()
  const metrics = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(scope => scope.metrics)
  const names = new Set(nodeMetrics.map(({ name }) => name))
  t.ok(metrics.every(({ descriptor }) => names.has(descriptor.name)))
  const handled = metrics.find(
    ({ descriptor }) => descriptor.name === 'cairn_commands_handled_total',
  )
  t.match(handled?.dataPoints, [
    { value: 1, attributes: { method: 'ask', node: node.id, namespace: 'channels' } },
    { value: 0, attributes: { method: 'tell' } },
  ])
})

await t.test('the names of attributes are those of the semantic conventions', t => {
  const known = semantic as unknown as Record<string, unknown>
  for (const [name, value] of Object.entries(conventions))
    t.equal(known[`ATTR_${name}`], value, name)
  t.end()
})

await t.test('wrong options are refused', t => {
  t.throws(() => startTracing({ tracer: 1 } as never), { code: 'invalid-option' })
  t.throws(() => startMetrics({} as never, { meter: 1 } as never), {
    code: 'invalid-option',
  })
  t.end()
})
