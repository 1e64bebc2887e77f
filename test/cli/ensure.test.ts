// cairn ensure: what a config file declares is created once, and differences are reported.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { brokerOf } from '../../src/program/config/broker.js'
import { loadConfig } from '../../src/program/config/load.js'
import { defineTopic } from '../../src/model/topic.js'
import { Connection } from '../../src/nats/connection.js'
import { callApi } from '../../src/nats/jetstream-api.js'
import { startNode } from '../../src/runtime/start-node.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import { jsonLines } from './support.js'

await using near = await startNats()
await using far = await startNats()
const env = { CAIRN_NEAR_URL: near.url, CAIRN_FAR_URL: far.url, NATS_URL: '' }

interface Report {
  kind: string
  name: string
  broker: string
  namespace: string
  state: string
  differences: string[]
}

async function cairn(...args: string[]) {
  const program = run(['dist/cli/main.js', 'ensure', ...args], env)
  const code = await program.ended
  return { code, stdout: program.stdout(), stderr: program.stderr() }
}

async function ensured(...args: string[]) {
  const { code, stdout, stderr } = await cairn(...args, '--json')
  t.equal(stderr, '')
  const reports = jsonLines<Report>({ lines: stdout.trim().split('\n') })
  return { code, reports, states: [...new Set(reports.map(({ state }) => state))] }
}

const dir = t.testdir()
const file = join(dir, 'cairn.config.json')
const spec = {
  brokers: { near: {}, far: {} },
  streams: {
    shop: { broker: 'near', partitions: 4, replicas: 1 },
    bank: { broker: 'far' },
  },
  consumers: {
    erp: { stream: 'shop', topics: ['orders.placed'] },
    books: { stream: 'bank', topics: ['paid', 'refunded'] },
  },
}
const write = (value: unknown) => writeFile(file, JSON.stringify(value))

await t.test('A4.6 what is declared is created once, on each broker', async t => {
  await write(spec)
  const dry = await ensured(file, '--dry-run')
  t.equal(dry.code, 1)
  t.strictSame(dry.states, ['missing'])
  t.strictSame(
    (await ensured(file, '--dry-run')).states,
    ['missing'],
    'nothing was created',
  )

  const made = await ensured(file)
  t.equal(made.code, 0)
  t.strictSame(made.states, ['created'])
  const placeOf = ({ kind, name, broker, namespace }: Report) =>
    [kind, name, broker, namespace].join(' ')
  const places = made.reports.map(placeOf)
  for (const place of [
    'stream CAIRN_shop near shop',
    'stream CAIRN_shop_TOPICS near shop',
    'stream CAIRN_bank far bank',
    'stream KV_CAIRN_bank_GROUPS far bank',
    'consumer erp near shop',
    'consumer books far bank',
  ])
    t.ok(places.includes(place), place)
  t.strictSame(dry.reports.map(placeOf), places, 'as the dry run reported')

  for (const args of [[file], [file, '--dry-run']]) {
    const again = await ensured(...args)
    t.equal(again.code, 0)
    t.strictSame(again.states, ['as declared'])
  }
  // Each is where it was declared, and a node that knows its name alone can use the consumer.
  const config = await loadConfig(file)
  await using node = await startNode({
    namespace: 'bank',
    store: jetstream(brokerOf(config, 'far', env)),
  })
  await node.publish(defineTopic('refunded'), 12)
  t.match(await node.consumer('books').consume({ maxWait: 30_000 }), [{ payload: 12 }])
  await t.rejects(node.consumer('erp').consume(), { code: 'unknown-consumer' })
})

await t.test('a consumer begins at new messages when it is created', async t => {
  const screen = { stream: 'bank', topics: ['refunded'], startAt: 'new' }
  await write({ ...spec, consumers: { ...spec.consumers, screen } })
  t.equal((await ensured(file)).code, 0)
  const config = await loadConfig(file)
  await using node = await startNode({
    namespace: 'bank',
    store: jetstream(brokerOf(config, 'far', env)),
  })
  await node.publish(defineTopic('refunded'), 13)
  const [message, ...others] = await node.consumer('screen').consume({ batch: 10 })
  t.match([message?.payload, others.length], [13, 0], 'not the one from before')
})

await t.test('A4.6 differences are reported, and nothing is narrowed', async t => {
  await write({
    ...spec,
    streams: { ...spec.streams, shop: { broker: 'near', partitions: 8, replicas: 3 } },
    consumers: {
      erp: { ...spec.consumers.erp, ackWait: 5_000, attempts: 2 },
      books: { stream: 'bank', topics: ['paid'] },
    },
  })
  const found = (reports: Report[], name: string) =>
    reports.find(report => report.name === name)
  const erp = ['ackWait is 30000 and must be 5000', 'attempts is 5 and must be 2']
  const books = ['topics is ["paid","refunded"] and must be ["paid"]']
  const log = ['num_replicas is 1 and must be 3', 'partitions is 4 and must be 8']
  const dry = await ensured(file, '--dry-run')
  t.equal(dry.code, 1)
  t.match(found(dry.reports, 'CAIRN_shop'), { state: 'differs', differences: log })
  t.match(found(dry.reports, 'CAIRN_bank'), { state: 'as declared' })
  t.match(found(dry.reports, 'erp'), { state: 'differs', differences: erp })
  t.match(found(dry.reports, 'books'), { state: 'differs', differences: books })

  const done = await ensured(file)
  t.equal(done.code, 1, 'what cannot be changed is still there')
  t.match(found(done.reports, 'CAIRN_shop'), { state: 'differs', differences: log })
  t.match(found(done.reports, 'erp'), { state: 'changed', differences: erp })
  t.match(found(done.reports, 'books'), { state: 'differs', differences: books })
  t.match(found((await ensured(file)).reports, 'erp'), { state: 'as declared' })
  const { stdout } = await cairn(file, '--dry-run')
  t.match(
    stdout,
    /^consumer {2}books {2}of bank on far {2}differs: topics is \["paid","refunded"\] and must/m,
  )
})

await t.test(
  'A4.6 a stream that is no longer Cairn’s is reported, and not changed',
  async t => {
    await write(spec)
    const connection = await Connection.open({ servers: far.url }, 'bank', 'operator')
    t.teardown(() => connection.close())
    const age = async (name: string) => {
      const info = await callApi<{ config: object }>(
        connection,
        `STREAM.INFO.${name}`,
        undefined,
      )
      if (!info.ok) throw new Error(info.error.description)
      const config = { ...info.value.config, max_age: 3_600_000_000_000 }
      t.ok((await callApi(connection, `STREAM.UPDATE.${name}`, config)).ok)
    }
    await ensured(file)
    await age('CAIRN_bank_TOPICS')
    const aged = await ensured(file)
    t.equal(aged.code, 0, 'how long plain messages are kept is the operator’s')
    const store = jetstream(brokerOf(await loadConfig(file), 'far', env))
    await (await startNode({ namespace: 'bank', store })).close()

    await age('CAIRN_bank_DLQ')
    for (const args of [[file, '--dry-run'], [file]]) {
      const { code, reports } = await ensured(...args)
      t.equal(code, 1)
      t.match(
        reports.find(({ name }) => name === 'CAIRN_bank_DLQ'),
        { state: 'differs', differences: ['max_age is 3600000000000 and must be 0'] },
      )
    }
    await t.rejects(startNode({ namespace: 'bank', store }), { code: 'foreign-stream' })
  },
)

await t.test(
  'A4.7 a missing or invalid declaration is an error that names the remedy',
  async t => {
    const refused = async (value: unknown, message: RegExp) => {
      await write(value)
      const { code, stdout, stderr } = await cairn(file)
      t.strictSame([code, stdout], [2, ''])
      t.match(stderr, message)
    }
    await refused({ streams: { shop: {} } }, /set CAIRN_DEFAULT_URL or NATS_URL/)
    await refused(
      { ...spec, consumers: { erp: { ...spec.consumers.erp, startAt: 'latest' } } },
      /consumers\.erp\.startAt is .*latest.*: use first, new/,
    )
    await refused(
      { ...spec, streams: { shop: {} } },
      /streams\.shop\.broker is missing: there are several in brokers, use near or far/,
    )
    await refused({ streams: { shop: { replicas: 4 } } }, /streams\.shop\.replicas is 4/)
    const none = await cairn()
    t.equal(none.code, 2)
    t.match(none.stderr, /There is no cairn\.config\.\(ts\|/)
    const flag = await cairn(file, '--ns', 'x')
    t.equal(flag.code, 2)
    t.match(flag.stderr, /--ns has no meaning here/)
  },
)
