// A login is used wherever it may stand, and never told: not in an error, a log line, statistics or what inspect shows.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { readServers } from '../../src/nats/login.js'
import { brokerOf } from '../../src/program/config/broker.js'
import { loadConfig } from '../../src/program/config/load.js'
import { startNode } from '../../src/runtime/start-node.js'
import { run } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'

const dir = t.testdir()
/** Each has a part that survives every encoding, which is searched for. */
const needle = 's3cr3t'
const passwords = [
  needle,
  `${needle}@x`,
  `${needle}/x`,
  `${needle}:x`,
  `a,${needle}`,
  `${needle}%`,
  `${needle} x`,
]

await using server = await startNats({
  users: passwords.map((password, i) => ({ user: `u${i}`, password })),
})
await using closed = await startNats({ users: [{ user: 'somebody', password: 'else' }] })
const tokened = await startNats({ config: `authorization { token: "${needle}" }` })
t.teardown(() => tokened[Symbol.asyncDispose]())

/** Everything that an error shows to anyone. */
function shown(error: unknown): string {
  const { stack = '' } = error as Error
  return [
    inspect(error, { depth: Infinity, showHidden: true, getters: true }),
    stack,
    JSON.stringify(error),
    String(error),
  ].join('\n')
}

const leaks = (text: string) =>
  decodeURIComponent(text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25')).includes(needle)

await t.test('a login in a URL is used, in code', async t => {
  for (const [i, password] of passwords.entries()) {
    const url = `nats://u${i}:${encodeURIComponent(password)}@127.0.0.1:${server.port}`
    for (const servers of [url, [url], `${url},127.0.0.1:${server.port}`, `${url}/`]) {
      const open = await jetstream({ servers }).open({ namespace: `n${i}`, nodeId: 'n' })
      await open.close()
    }
  }
  const open = await jetstream({
    servers: `nats://${needle}@127.0.0.1:${tokened.port}`,
  }).open({ namespace: 'n', nodeId: 'n' })
  await open.close()
  process.env.NATS_URL = `nats://u0:${needle}@127.0.0.1:${server.port}`
  const lines: string[] = []
  const say = (...parts: unknown[]) =>
    void lines.push(inspect(parts, { depth: Infinity }))
  await using node = await startNode({
    namespace: 'n0',
    store: jetstream(),
    log: { debug: say, info: say, warn: say, error: say },
  })
  await server.restart()
  const told = [
    ...lines,
    inspect(node, { depth: Infinity, showHidden: true }),
    inspect(jetstream({ servers: process.env.NATS_URL }), {
      depth: Infinity,
      showHidden: true,
    }),
    JSON.stringify(node.stats()),
  ]
  t.notOk(told.some(leaks), 'and is in no log line, in no statistics and in no object')
  delete process.env.NATS_URL
})

/** URLs that are refused, unreachable or wrong. */
const urls = [
  ...passwords.flatMap(password => {
    const encoded = encodeURIComponent(password)
    return [
      `nats://u:${encoded}@127.0.0.1:${closed.port}`,
      `nats://u:${encoded}@127.0.0.1:1`,
      `tls://u:${encoded}@127.0.0.1:${closed.port}`,
      `u:${password}@127.0.0.1:1`,
      `nats://u:${password}@127.0.0.1:1`,
      `nats://u:${password}@127.0.0.1:1,nats://127.0.0.1:1`,
      `127.0.0.1:1,nats://u:${encoded}@127.0.0.1:1`,
    ]
  }),
  `nats://${needle}@127.0.0.1:1`,
  `nats://${needle}@127.0.0.1:${closed.port}`,
  `nats://u:${needle}`,
  `nats://u:${needle}%40127.0.0.1:1`,
  `http://u:${needle}@127.0.0.1:1`,
  `nats://u:${needle}@`,
  `nats://u:${needle}@:1`,
  `nats://u:${needle}@host name:1`,
  `nats://u:${needle}@127.0.0.1:99999999`,
  `nats://127.0.0.1:1/?password=${needle}`,
  `nats:u:${needle}@127.0.0.1:1`,
  `nats//u:${needle}@127.0.0.1:1`,
  `nats://a:${needle}@127.0.0.1:1,nats://b:${needle}@127.0.0.1:1`,
  `://u:${needle}@127.0.0.1:1`,
  `nats://u:${needle}@[::1:1`,
  `nats://u:${needle}@127.0.0.1:1, ,`,
]

await t.test('no error has it, in code', async t => {
  for (const url of urls)
    for (const servers of [url, [url]]) {
      const opening = jetstream({ servers, connectTimeout: 2_000 }).open({
        namespace: 'n',
        nodeId: 'n',
      })
      const error = await opening.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      t.ok(error, url)
      t.notOk(leaks(shown(error)), `${url}: ${String(error)}`)
    }
  const both = jetstream({
    servers: closed.url,
    user: 'u',
    password: needle,
    token: needle,
  })
  const error = await both.open({ namespace: 'n', nodeId: 'n' }).catch((e: unknown) => e)
  t.match(error, { code: 'invalid-option' })
  t.notOk(leaks(shown(error)))
})

await t.test('no file of credentials is quoted', async t => {
  const file = join(dir, 'wrong')
  for (const contents of [
    needle,
    `-----BEGIN NATS USER JWT-----\n${needle}\n`,
    `SU${needle}`,
  ])
    for (const option of ['creds', 'nkey']) {
      await writeFile(file, contents)
      const opening = jetstream({ servers: closed.url, [option]: file }).open({
        namespace: 'n',
        nodeId: 'n',
      })
      const error = await opening.catch((reason: unknown) => reason)
      t.match(error, { code: 'invalid-option' }, `${option}: ${contents}`)
      t.notOk(leaks(shown(error)), String(error))
    }
})

await t.test('no program tells it', async t => {
  const wrong = `nats://u:${needle}@127.0.0.1:${closed.port}`
  const odd = `nats://u:a,${needle}@127.0.0.1:1`
  const config = join(dir, 'cairn.config.json')
  await writeFile(
    config,
    `{ "brokers": { "a": { "servers": "${wrong}" } }, "streams": { "n": {} } }`,
  )
  const runs: [string[], NodeJS.ProcessEnv][] = [
    [['dist/cli/main.js', 'actors', '--ns', 'n', '--nats', wrong], {}],
    [['dist/cli/main.js', 'actors', '--ns', 'n'], { NATS_URL: odd }],
    [['dist/cli/main.js', 'actors', '--ns', 'n', wrong], {}],
    [['dist/cli/main.js', 'read', `u:${needle}@host`, '--ns', 'n', 'x', 'y'], {}],
    [['dist/cli/main.js', 'actors', '--ns', wrong], {}],
    [['dist/cli/main.js', 'ensure', config], {}],
    [['dist/node.js', '--ns', 'n', wrong], {}],
    [['dist/node.js', '--ns', 'n', '--demo', '--nats', wrong], {}],
    [
      ['dist/cli/main.js', 'actors', '--ns', 'n', '--nats', closed.url],
      { NATS_USER: 'u', NATS_PASSWORD: needle },
    ],
  ]
  await Promise.all(
    runs.map(async ([args, env]) => {
      const program = run(args, env)
      t.not(await program.ended, 0, args.join(' '))
      t.notOk(leaks(program.stdout() + program.stderr()), program.stderr())
    }),
  )
})

await t.test('no config file is quoted', async t => {
  const wrong = {
    'a.json': `{ "brokers": { "a": { "servers": "nats://u:${needle}@h" } `,
    'b.json': `{ "brokers": { "a": { "servers": { "url": "nats://u:${needle}@h" } } } }`,
    'c.json': `{ "brokers": { "a": { "servers": "nats://u:${needle}@h", "creds": 5 } }, "streams": "nats://u:${needle}@h" }`,
    'd.yaml': `brokers:\n  a:\n    servers: [nats://u:${needle}@h\n  b: "${needle}\n`,
    'e.yaml': `brokers: { a: { servers: nats://u:${needle}@h, password: ${needle} } }\nstreams: [${needle}`,
    'f.yaml': `brokers: { a: { passwordFile: [${needle}] } }`,
    'g.json': `nats://u:${needle}@h`,
  }
  for (const [name, text] of Object.entries(wrong)) {
    const file = join(dir, name)
    await writeFile(file, text)
    const error = await loadConfig(file).catch((reason: unknown) => reason)
    t.match(error, { code: 'invalid-option' }, name)
    t.notOk(leaks(shown(error)), String(error))
  }
  const file = join(dir, 'h.json')
  await writeFile(file, `{ "brokers": { "a": { "servers": "nats://u:a,${needle}@h" } } }`)
  const broker = await loadConfig(file)
  try {
    brokerOf(broker)
    t.fail('it is refused')
  } catch (error) {
    t.notOk(leaks(shown(error)), String(error))
  }
})

await t.test('the forms of a URL', t => {
  t.strictSame(readServers('a'), { servers: ['a'] })
  t.strictSame(readServers('a:1, b:2'), { servers: ['a:1', 'b:2'] })
  t.strictSame(readServers('nats://u:p%40@a:1,b:2'), {
    servers: ['nats://a:1', 'nats://b:2'],
    user: 'u',
    password: 'p@',
  })
  t.strictSame(readServers(['tls://[::1]:4222/', 'nats://t@a']), {
    servers: ['tls://[::1]:4222', 'nats://a'],
    token: 't',
  })
  t.end()
})
