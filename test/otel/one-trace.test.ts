// One command over three processes is one trace: each node's spans, from real processes on a real server.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'

import { bare } from '../support/bare.js'
import { startNats } from '../support/nats.js'
import { until } from '../support/wait.js'

interface SeenSpan {
  readonly process: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parent?: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: number
}

await using server = await startNats()

async function startTraced(role: 'client' | 'orders' | 'shipments') {
  const options = { servers: server.url, namespace: 'traced', id: role, role }
  const child = spawn(
    ...bare(
      process.execPath,
      'test/support/programs/traced.mjs',
      JSON.stringify(options),
    ),
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  t.teardown(async () => {
    if (child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', line => lines.push(line))
  let read = 0
  const next = async (): Promise<object> =>
    JSON.parse(
      await until(() => lines[read], { describe: `${role} says something` }).then(
        line => (read++, line),
      ),
    ) as object
  await next()
  return {
    async tell(line: string): Promise<object> {
      child.stdin.write(`${line}\n`)
      return next()
    },
  }
}

const nodes = [
  await startTraced('orders'),
  await startTraced('shipments'),
  await startTraced('client'),
]
const { traceId } = (await nodes[2]!.tell('go')) as { traceId: string }

const spansNow = async () => {
  const seen = await Promise.all(nodes.map(node => node.tell('spans')))
  return (seen as { spans: SeenSpan[] }[])
    .flatMap(({ spans }) => spans)
    .filter(span => span.traceId === traceId)
}

/** The names from the root to a span. */
const pathOf = (span: SeenSpan, spans: readonly SeenSpan[]): string => {
  const parent = spans.find(({ spanId }) => spanId === span.parent)
  const own = `${span.process}: ${span.name}`
  return parent === undefined ? own : `${pathOf(parent, spans)} > ${own}`
}

const ask = 'client: checkout > client: ask order/place'
const place = `${ask} > orders: command order/place`
// Whichever member reads the partition delivers and fires.
const anyNode = (path: string) =>
  path.replaceAll(/(orders|shipments): (deliver|timer|ask)/g, '*: $2')
const expected = [
  'client: checkout',
  ask,
  place,
  `${place} > orders: decide order/place`,
  `${place} > orders: commit order`,
  `${place} > *: deliver shipment`,
  `${place} > *: deliver shipment > *: ask shipment/book`,
  `${place} > *: deliver shipment > *: ask shipment/book > shipments: command shipment/book`,
  `${place} > *: deliver shipment > *: ask shipment/book > shipments: command shipment/book > shipments: decide shipment/book`,
  `${place} > *: deliver shipment > *: ask shipment/book > shipments: command shipment/book > shipments: commit shipment`,
  `${place} > *: timer order`,
  `${place} > *: timer order > *: ask order/remind`,
  `${place} > *: timer order > *: ask order/remind > orders: command order/remind`,
  `${place} > *: timer order > *: ask order/remind > orders: command order/remind > orders: decide order/remind`,
  `${place} > *: timer order > *: ask order/remind > orders: command order/remind > orders: commit order`,
  `${place} > shipments: handle orders.placed`,
  `${place} > shipments: handle orders.placed > shipments: transaction`,
  `${place} > shipments: handle orders.placed > shipments: transaction > shipments: commit ledger`,
  `${place} > shipments: handle orders.placed > shipments: transaction > shipments: decide ledger/enter`,
]

await t.test(
  'a command, and all that it causes in three processes, is one trace',
  async t => {
    const spans = await until(
      async () => {
        const now = await spansNow()
        const paths = new Set(now.map(span => anyNode(pathOf(span, now))))
        return expected.every(path => paths.has(path)) && now
      },
      { describe: 'the spans of all operations have ended' },
    ).catch(async (error: unknown) => {
      const now = await spansNow()
      t.strictSame(now.map(span => anyNode(pathOf(span, now))).sort(), expected.sort())
      throw error
    })
    const roots = spans.filter(({ parent }) => parent === undefined)
    t.strictSame(
      roots.map(({ name }) => name),
      ['checkout'],
    )
    const known = new Set(spans.map(({ spanId }) => spanId))
    t.strictSame(
      spans.filter(({ parent }) => parent !== undefined && !known.has(parent)),
      [],
      'the parent of every span is a span of the trace',
    )
    t.equal(new Set(spans.map(({ process }) => process)).size, 3)
    t.ok(spans.every(({ status }) => status !== 2))

    const named = (name: string) => spans.find(span => span.name === name)?.attributes
    t.match(named('ask order/place'), {
      'rpc.system.name': 'cairn',
      'rpc.method': 'order/place',
      'cairn.namespace': 'traced',
      'cairn.node.id': 'client',
      'cairn.actor.type': 'order',
      'cairn.actor.id': '7',
      'cairn.version': 1,
    })
    t.match(named('commit order'), {
      'db.system.name': 'cairn',
      'db.namespace': 'traced',
      'db.collection.name': 'order',
      'db.operation.name': 'commit',
      'cairn.events': 1,
    })
    t.match(named('commit ledger'), { 'db.operation.batch.size': 2 })
    t.match(named('handle orders.placed'), {
      'messaging.system.name': 'cairn',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders.placed',
      'messaging.consumer.group.name': 'booking',
    })
    t.match(named('timer order'), { 'cairn.timer.name': 'reminder' })
  },
)
