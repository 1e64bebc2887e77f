// Config files: their fields, and the servers of their brokers.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import t from 'tap'

import { brokerOf } from '../../../src/program/config/broker.js'
import { type Config, readConfig } from '../../../src/program/config/config.js'
import { loadConfig } from '../../../src/program/config/load.js'

const file = 'cairn.config.json'

await t.test('A4.6 an invalid value is refused with the name of its field', async t => {
  const refusals: [spec: unknown, message: RegExp][] = [
    [[], /the file is \[\]/],
    [{ broker: {} }, /: broker is not a known field: use brokers, streams, consumers/],
    [{ brokers: [] }, /brokers is \[\]/],
    [{ brokers: { '1a': {} } }, /brokers\.1a is "1a": begin its name with a letter/],
    [
      { brokers: { a: { provider: 'kafka' } } },
      /brokers\.a\.provider is "kafka": use nats/,
    ],
    [{ brokers: { a: { servers: 4222 } } }, /brokers\.a\.servers is 4222: use text/],
    [{ brokers: { a: { creds: '' } } }, /brokers\.a\.creds is ""/],
    [{ streams: { 'A.b': {} } }, /streams\.A\.b: /],
    [{ streams: { shop: { replicas: 2 } } }, /streams\.shop\.replicas is 2: use 1, 3, 5/],
    [{ streams: { shop: { partitions: 0 } } }, /streams\.shop\.partitions is 0/],
    [{ streams: { shop: { broker: 'x' } } }, /streams\.shop\.broker is "x": use default/],
    [
      { consumers: { erp: { topics: ['a'] } } },
      /consumers\.erp\.stream is missing: declare/,
    ],
    [
      { brokers: { a: {}, b: {} }, streams: { shop: {} } },
      /streams\.shop\.broker is missing: there are several in brokers, use a or b/,
    ],
    ...(
      [
        [{}, /consumers\.erp\.topics is missing: list the topics/],
        [{ topics: [] }, /consumers\.erp\.topics is \[\]/],
        [{ topics: ['a', 1] }, /consumers\.erp\.topics is \[ 'a', 1 \]/],
        [{ topics: ['a b'] }, /consumers\.erp\.topics: .*a b/],
        [{ topics: ['a'], ackWait: '30s' }, /consumers\.erp\.ackWait is "30s"/],
        [{ topics: ['a'], attempts: 0 }, /consumers\.erp\.attempts is 0/],
        [
          { topics: ['a'], maxDeliver: 3 },
          /consumers\.erp\.maxDeliver is not a known field/,
        ],
        [{ topics: ['a'], stream: 'x' }, /consumers\.erp\.stream is "x": use shop/],
      ] as [unknown, RegExp][]
    ).map(([erp, message]): [unknown, RegExp] => [
      { streams: { shop: {} }, consumers: { erp } },
      message,
    ]),
    [
      { streams: { shop: {} }, consumers: { 'a.b': { topics: 'x' } } },
      /consumers\.a\.b: name of a consumer is "a\.b"/,
    ],
  ]
  for (const [spec, message] of refusals)
    t.throws(() => readConfig(spec, file), { code: 'invalid-option', message })
})

const declared = {
  brokers: { main: { servers: ['nats://a:1', 'nats://b:2'] }, 'far-away': {} },
  streams: { shop: { broker: 'main', replicas: 1 }, bank: { broker: 'far-away' } },
  consumers: { erp: { stream: 'shop', topics: ['orders.placed'], ackWait: 5_000 } },
}
const read: Omit<Config, 'file'> = {
  brokers: declared.brokers,
  streams: declared.streams as Config['streams'],
  consumers: {
    erp: {
      stream: 'shop',
      definition: {
        name: 'erp',
        topics: ['orders.placed'],
        ackWait: 5_000,
        attempts: 5,
      },
    },
  },
}

await t.test(
  'A4.6 TypeScript, JavaScript, JSON and YAML files are read alike',
  async t => {
    const json = JSON.stringify(declared)
    const types = `import type { ConfigSpec } from 'cairn-es/ops'\n`
    const yaml = `
brokers:
  main: { servers: ['nats://a:1', 'nats://b:2'] }
  far-away:
streams:
  shop: { broker: main, replicas: 1 }
  bank: { broker: far-away }
consumers:
  erp:
    stream: shop
    topics: [orders.placed]
    ackWait: 5000
`
    const dir = t.testdir({
      'cairn.config.ts': `${types}export default ${json} satisfies ConfigSpec\n`,
      'named.ts': `${types}export const config: ConfigSpec = ${json}\n`,
      'cairn.config.mjs': `export const config = ${json}\n`,
      'cairn.config.json': json,
      'cairn.config.yaml': yaml,
      'broken.yaml': 'brokers: {',
      'broken.json': '{',
      'empty.mjs': 'export const other = 1',
      'cairn.config.toml': '',
    })
    for (const name of [
      'cairn.config.ts',
      'named.ts',
      'cairn.config.mjs',
      'cairn.config.json',
      'cairn.config.yaml',
    ])
      t.strictSame(await loadConfig(join(dir, name)), { file: name, ...read }, name)
    for (const [name, message] of [
      ['broken.yaml', /broken\.yaml cannot be read/],
      ['broken.json', /broken\.json cannot be read/],
      ['empty.mjs', /exports neither a default nor "config"/],
      ['cairn.config.toml', /is not a config file: use one that ends in \.ts/],
      ['missing.yaml', /missing\.yaml cannot be read: ENOENT/],
    ] as const)
      await t.rejects(loadConfig(join(dir, name)), { code: 'invalid-option', message })

    // Without a name, the file of the current directory is read.
    const before = process.cwd()
    t.teardown(() => process.chdir(before))
    process.chdir(dir)
    await t.rejects(loadConfig(), {
      code: 'invalid-option',
      message: /several config files here, cairn\.config\.ts, cairn\.config\.mjs, /,
    })
    for (const ending of ['ts', 'mjs', 'json']) await rm(`cairn.config.${ending}`)
    t.match(await loadConfig(), { file: 'cairn.config.yaml' })
    await rm('cairn.config.yaml')
    await t.rejects(loadConfig(), { message: /There is no cairn\.config\./ })
  },
)

await t.test(
  'A4.7 CAIRN_<NAME>_URL overrides the file, and NATS_URL is used last',
  async t => {
    const config = readConfig(declared, file)
    const NATS_URL = 'nats://user:secret@general:4222'
    const CAIRN_MAIN_URL = 'nats://own:1'
    t.strictSame(brokerOf(config, 'main', { CAIRN_MAIN_URL, NATS_URL }), {
      servers: 'nats://own:1',
    })
    t.strictSame(brokerOf(config, 'main', { NATS_URL }), {
      servers: 'nats://a:1,nats://b:2',
    })
    t.strictSame(brokerOf(config, 'far-away', { NATS_URL, CAIRN_MAIN_URL }), {
      servers: 'nats://general:4222',
      user: 'user',
      password: 'secret',
    })
    t.strictSame(brokerOf(config, 'far-away', { CAIRN_FAR_AWAY_URL: 'x:1', NATS_URL }), {
      servers: 'x:1',
    })
    t.throws(() => brokerOf(config, 'far-away', {}), {
      code: 'invalid-option',
      message:
        /far-away of .*: set CAIRN_FAR_AWAY_URL or NATS_URL, or brokers\.far-away\.servers/,
    })
    t.throws(() => brokerOf(config, undefined, { NATS_URL }), {
      message: /several brokers: name one of main, far-away/,
    })
    t.throws(() => brokerOf(config, 'near', { NATS_URL }), {
      message: /no broker "near": it has main, far-away/,
    })
    t.strictSame(brokerOf(readConfig({}, file), undefined, { NATS_URL: 'nats://x' }), {
      servers: 'nats://x',
    })
  },
)
