// The program `node dist/node.js`: its flags, its log, and how it ends.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'
import { isRefused } from '../cli/support.js'
import { cairn, run, startNode } from '../multinode/harness.js'

const dir = await mkdtemp(join(tmpdir(), 'cairn-program-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
const here = ['--ns', 'program', '--embedded', dir]
const counterFile = 'test/support/actors/counter.mjs'

type Mistake = readonly [
  what: string,
  code: number,
  says: RegExp,
  args: readonly string[],
]

const mistakes: readonly Mistake[] = [
  ['no namespace', 2, /pass --ns NS/, ['--embedded', dir]],
  ['a bad namespace', 2, /"UP" is not a namespace/, ['--ns', 'UP', '--embedded', dir]],
  ['a bad id', 2, /"a b" is not a node id: use/, ['--id', 'a b', ...here]],
  [
    'an id of 64 characters',
    2,
    /is not a node id: use 1 to 63/,
    ['--id', 'x'.repeat(64), ...here],
  ],
  [
    'an unknown flag',
    2,
    /"--wat" is not a flag here: use .*--log-level/,
    ['--wat', ...here],
  ],
  ['a word that is not a flag', 2, /"demo" is not a flag/, ['demo', ...here]],
  [
    'an unknown log level',
    2,
    /--log-level is "loud": use trace, debug/,
    ['--log-level', 'loud', ...here],
  ],
  [
    '--replicas with an even number',
    2,
    /--replicas is "2": use 1, 3 or 5/,
    ['--ns', 'r', '--replicas', '2'],
  ],
  [
    '--replicas with a word',
    2,
    /--replicas is "all": use a whole number/,
    ['--ns', 'r', '--replicas', 'all'],
  ],
  [
    '--replicas without a server',
    2,
    /leave out --replicas, or --embedded/,
    ['--replicas', '3', ...here],
  ],
  [
    '--http with a word',
    2,
    /--http is "here": write HOST:PORT/,
    ['--http', 'here', ...here],
  ],
  [
    '--http with a port beyond the last',
    2,
    /--http is "65536": write HOST:PORT/,
    ['--http', '65536', ...here],
  ],
  [
    '--http-tokens without --http',
    2,
    /--http-tokens has no meaning without --http/,
    ['--http-tokens', 'none', ...here],
  ],
  [
    'a file of tokens that does not exist',
    2,
    /The file of tokens none cannot be read/,
    ['--http', '0', '--http-tokens', 'none', ...here],
  ],
  [
    'an origin with a path',
    2,
    /"https:\/\/a\/b" is not an origin/,
    ['--http', '0', '--http-origin', 'https://a/b', ...here],
  ],
  [
    'an actors file that does not exist',
    2,
    /--actors none\.mjs: the file cannot be read/,
    ['--actors', 'none.mjs', ...here],
  ],
  [
    'two definitions of one type',
    1,
    /"account" is defined twice/,
    ['--demo', '--actors', 'dist/program/demo/account.js', ...here],
  ],
]

for (const [what, code, says, args] of mistakes)
  await t.test(`${what} is one clear error`, async t => {
    const node = run(['dist/node.js', ...args])
    const ended = await node.ended
    isRefused(
      t,
      { code: ended, stdout: node.stdout(), stderr: node.stderr() },
      { code, says },
    )
  })

await t.test('--actors serves what a file exports, alone and in lists', async t => {
  const flags = ['--actors', counterFile, '--demo', '--id', 'mine']
  await using node = await startNode(...flags, ...here)
  const ready = node.lines.find(line => line.msg === 'node ready')
  t.match(ready, {
    level: 30,
    time: Number,
    pid: node.pid,
    node: 'mine',
    namespace: 'program',
    store: 'embedded',
    actors: ['counter', 'shelf', 'account'],
  })
  const asked = await cairn('ask', 'counter/c', 'add', '3', '--json', ...here)
  t.match(JSON.parse(asked.stdout), { version: 1, reply: 3 })
  t.match(JSON.parse((await cairn('ask', 'shelf/s', 'keep', '--json', ...here)).stdout), {
    version: 1,
  })
  t.equal(await node.stop(), 0)
  t.strictSame(
    node.lines
      .map(line => line.msg)
      .filter(message => String(message).startsWith('node ')),
    ['node ready', 'node stopping', 'node stopped'],
  )
})

await t.test('--demo prints commands to try on stderr, and they work', async t => {
  const place = join(dir, 'with a space')
  await using node = await startNode('--demo', '--ns', 'demo', '--embedded', place)
  await until(() => node.stderr().includes('Ctrl-C'), {
    describe: 'the node shows examples',
  })
  const [first] = /node dist\/cli\/main\.js ask .*/.exec(node.stderr()) ?? []
  const shell = run([
    '-e',
    `
    const { execSync } = require('node:child_process')
    process.stdout.write(execSync(${JSON.stringify(first)}))
  `,
  ])
  t.equal(await shell.ended, 0, shell.stderr())
  t.match(shell.stdout(), /account\/alice is at version 1 .*"balance":10/)
})

await t.test('--log-level silent writes nothing', async t => {
  const node = run([
    'dist/node.js',
    '--log-level',
    'silent',
    '--actors',
    counterFile,
    ...here,
  ])
  await until(
    async () => (await cairn('ask', 'counter/s', 'add', '1', ...here)).code === 0,
    {
      describe: 'it serves',
    },
  )
  node.child.kill('SIGTERM')
  t.strictSame([await node.ended, node.stdout(), node.stderr()], [0, '', ''])
})

await t.test('the log is JSON lines, without payloads and secrets', async t => {
  const users = [{ user: 'bob', password: 'pass-sesame' }]
  await using server = await startNats({ users })
  const at = `nats://bob:pass-sesame@127.0.0.1:${server.port}`
  const flags = ['--ns', 'secret', '--nats', at]
  // The harness parses every line: one that is not JSON would fail the test.
  await using node = await startNode('--actors', counterFile, '--demo', ...flags)
  const payload = '{"amount":"payload-sesame"}'
  const ask = (...args: string[]) => cairn('ask', ...args, ...flags)
  t.equal((await ask('account/a', 'deposit', payload)).code, 2, 'invalid data')
  t.equal((await ask('counter/c', 'add', '"payload-sesame"')).code, 0, 'stored')
  t.equal((await ask('counter/c', 'wat', '"payload-sesame"')).code, 1, 'unknown')
  t.equal((await ask('shelf/s', 'keep', '"payload-sesame"')).code, 0)
  t.equal(
    (await cairn('append', 'counter/d', 'unknown-event', '"payload-sesame"', ...flags))
      .code,
    0,
  )
  t.equal((await ask('counter/d', 'add', '1')).code, 1, 'an event it cannot fold')
  await server.restart()
  await until(() => node.lines.some(line => line.reason === 'reconnected'), {
    describe: 'the node has reconnected',
  })
  t.equal((await ask('counter/c', 'add', '"payload-sesame"')).code, 0, 'stored')
  t.equal(await node.stop(), 0)
  const all = `${JSON.stringify(node.lines)}\n${node.stderr()}`
  t.ok(node.lines.length > 4)
  t.notMatch(all, 'sesame')
})

await t.test('the library logs nothing by default', async t => {
  await using server = await startNats()
  const program = run(['test/support/programs/quiet.mjs', server.url])
  t.equal(await program.ended, 0, program.stderr())
  t.equal(program.stdout(), '')
  t.equal(program.stderr(), '')
})

for (const second of ['SIGTERM', 'SIGINT'] as const)
  await t.test(`${second} during a drain ends the node at once`, async t => {
    await using server = await startNats()
    const flags = ['--ns', 'held', '--nats', server.url]
    const node = await startNode('--demo', ...flags)
    const store = jetstream({ servers: server.url })
    const open = await store.open({ namespace: 'held', nodeId: 'test' })
    t.teardown(() => open.close())
    t.teardown(() => node.kill())
    let isGoing = true
    const answers = Array.from({ length: 8 }, async (_, n) => {
      const actor = { type: 'account', id: `a${n}` }
      const request = {
        kind: 'ask',
        actor,
        command: 'deposit',
        data: { amount: 1 },
      } as const
      // On a busy machine an answer may come too late: that must not end the commands.
      while (isGoing)
        await open.transport.request(request, { timeout: 2_000 }).catch(() => {})
    })
    await until(async () => (await open.store.lastPosition()) > 50, {
      describe: 'commands flow',
    })
    server.pause()
    t.teardown(() => server.resume())
    const stopped = node.stop()
    await until(() => node.lines.some(line => line.msg === 'node stopping'), {
      describe: 'it is draining',
    })
    process.kill(node.pid, second)
    t.equal(await stopped, 1, 'it exits 1')
    t.notOk(node.lines.some(line => line.msg === 'node stopped'))
    server.resume()
    isGoing = false
    await Promise.all(answers)
  })

await t.test('a signal during the start stops the node once it has started', async t => {
  await using server = await startNats()
  await using proxy = await startProxy(server.url)
  proxy.pause()
  const node = run(['dist/node.js', '--demo', '--ns', 'early', '--nats', proxy.url])
  await until(() => proxy.connections > 0, { describe: 'it is connecting' })
  node.child.kill('SIGINT')
  proxy.resume()
  t.equal(await node.ended, 0, node.stderr())
  t.match(node.stdout(), /"signal":"SIGINT".*"msg":"node stopping"/)
})

await t.test('a second signal while the first is handled ends the node', async t => {
  const actors = ['--actors', 'test/support/actors/impatient.mjs']
  const node = await startNode(...actors, ...here)
  t.equal(await node.stop(), 1, 'it exits 1')
})

await t.test('a second signal during the start ends the node at once', async t => {
  await using server = await startNats()
  await using proxy = await startProxy(server.url)
  proxy.pause()
  const node = run(['dist/node.js', '--demo', '--ns', 'early', '--nats', proxy.url])
  t.teardown(() => node.child.kill('SIGKILL'))
  await until(() => proxy.connections > 0, { describe: 'it is connecting' })
  node.child.kill('SIGINT')
  node.child.kill('SIGTERM')
  t.equal(await node.ended, 1, node.stderr())
  t.equal(node.stdout(), '')
})
