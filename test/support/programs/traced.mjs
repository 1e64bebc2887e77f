// A node whose spans stay in its memory. It answers each line on stdin with a line of JSON.
//
//     node traced.mjs '{"servers":…, "namespace":…, "id":…, "role":"client"|"orders"|"shipments"}'
//
// `go` sends one command, inside a span of the application; `spans` tells the spans that have ended.

import { createInterface } from 'node:readline'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import {
  defineActor,
  defineReactor,
  defineTopic,
  event,
  jetstream,
  publish,
  schedule,
  send,
  startNode,
} from 'cairn-es'
import { startTracing } from 'cairn-es/otel'

const { servers, namespace, id, role } = JSON.parse(process.argv[2] ?? '')
/** @param {object} line */
const tell = line => process.stdout.write(`${JSON.stringify(line)}\n`)

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(exporter)],
})
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
trace.setGlobalTracerProvider(provider)
startTracing()

const placed = /** @type {typeof defineTopic<{ order: string }>} */ (defineTopic)(
  'orders.placed',
)
const shipment = defineActor({
  type: 'shipment',
  initialState: { booked: 0 },
  decide: { book: () => event('booked', {}) },
  evolve: { booked: state => ({ booked: state.booked + 1 }) },
})
const ledger = defineActor({
  type: 'ledger',
  initialState: { entries: 0 },
  decide: { enter: () => event('entered', {}) },
  evolve: { entered: state => ({ entries: state.entries + 1 }) },
})
const order = defineActor({
  type: 'order',
  initialState: { reminded: false },
  publishes: [placed],
  decide: {
    place: (_state, _data, { actor }) => [
      event('placed', {}),
      publish(placed, { order: actor.id }),
      send(shipment, actor.id, 'book'),
      schedule('reminder', { after: 1 }, 'remind'),
    ],
    remind: () => event('reminded', {}),
  },
  evolve: {
    placed: state => state,
    reminded: () => ({ reminded: true }),
  },
})
const booking = defineReactor({
  name: 'booking',
  on: placed,
  async handle(message) {
    // No traceparent is passed: the span of the handler is the active one.
    await node.transact(async tx => {
      await tx.ask(ledger, 'sales', 'enter')
      await tx.ask(ledger, message.data.order, 'enter')
    })
  },
})

const node = await startNode({
  namespace,
  id,
  store: jetstream({ servers }),
  log: false,
  ...(role === 'orders' && { actors: [order] }),
  ...(role === 'shipments' && { actors: [shipment, ledger], reactors: [booking] }),
})

async function go() {
  const tracer = trace.getTracer('application')
  const root = tracer.startSpan('checkout')
  const { traceId } = root.spanContext()
  await context.with(trace.setSpan(context.active(), root), () =>
    node.spawn(order, '7').ask('place'),
  )
  root.end()
  tell({ traceId })
}

createInterface({ input: process.stdin }).on('line', line => {
  if (line === 'go') void go()
  else
    tell({
      spans: exporter.getFinishedSpans().map(span => ({
        process: id,
        name: span.name,
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        parent: span.parentSpanContext?.spanId,
        attributes: span.attributes,
        status: span.status.code,
        kind: span.kind,
      })),
    })
})
process.once('SIGTERM', () => void node.close().then(() => process.exit(0)))
tell({ ready: true, members: node.members().length })
