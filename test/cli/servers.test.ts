// Servers that are unreachable, lack a feature or refuse the login: one clear error each.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type ConnectionOptions } from 'nats'
import t, { type Test } from 'tap'

import { startNats } from '../support/nats.js'
import { cairn, run } from '../multinode/harness.js'
import { isRefused, type Refusal } from './support.js'

const dir = t.testdir()

/** A command that writes, one that reads, one that asks, and a node: all fail the same way. */
async function everyoneIsRefused(t: Test, flags: readonly string[], wanted: Refusal) {
  const node = run(['dist/node.js', '--demo', ...flags])
  const ended = await Promise.all([
    cairn('append', 'note/n', 'noted', ...flags),
    cairn('read', 'note/n', ...flags),
    cairn('ask', 'account/a', 'balance', '--demo', ...flags),
    cairn('send', 'account/a', 'deposit', '{"amount":1}', ...flags),
    node.ended.then(code => ({ code, stdout: node.stdout(), stderr: node.stderr() })),
  ])
  for (const each of ended) isRefused(t, each, wanted)
}

async function withConnection<T>(
  options: ConnectionOptions,
  work: (manager: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(options)
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

await t.test('a server that is not running: both remedies are named', async t => {
  const flags = ['--ns', 'none', '--nats', 'nats://127.0.0.1:1']
  await everyoneIsRefused(t, flags, {
    code: 3,
    says: /nats:\/\/127\.0\.0\.1:1: no NATS server .*npm run nats.*--embedded DIR/,
  })
  const { stderr } = await cairn(
    'actors',
    '--ns',
    'none',
    '--nats',
    'nats://eve:open-sesame@127.0.0.1:1',
  )
  t.match(stderr, /nats:\/\/127\.0\.0\.1:1/)
  t.notMatch(stderr, 'sesame', 'a password in the URL is not repeated')
})

await t.test('NATS_URL names the server, and --nats overrides it', async t => {
  await using server = await startNats()
  const asked = (env: NodeJS.ProcessEnv, ...flags: string[]) => {
    const program = run(['dist/cli/main.js', 'append', 'note/n', 'noted', ...flags], env)
    return program.ended
  }
  const ns = ['--ns', 'env']
  t.equal(await asked({ NATS_URL: server.url }, ...ns), 0)
  t.equal(await asked({ NATS_URL: 'nats://127.0.0.1:1' }, ...ns), 3)
  t.equal(await asked({ NATS_URL: 'nats://127.0.0.1:1' }, ...ns, '--nats', server.url), 0)
  t.equal(await asked({ NATS_URL: server.url, CAIRN_NS: 'env' }), 0, 'CAIRN_NS likewise')
})

await t.test('a server without JetStream', async t => {
  await using server = await startNats({ jetstream: false })
  await everyoneIsRefused(t, ['--ns', 'plain', '--nats', server.url], {
    code: 3,
    says: /JetStream is not available .*Start nats-server with -js/,
  })
})

await t.test('a server that refuses the login', async t => {
  const users = [{ user: 'bob', password: 'open:sesame' }]
  await using server = await startNats({ users })
  const ns = ['--ns', 'closed']
  const says =
    /the server refused the credentials\. Check the user, password, token or --creds/
  await everyoneIsRefused(t, [...ns, '--nats', server.url], { code: 1, says })
  const at = (login: string) => `nats://${login}@127.0.0.1:${server.port}`
  const wrong = await cairn(
    'append',
    'note/n',
    'noted',
    ...ns,
    '--nats',
    at('bob:closed-sesame'),
  )
  isRefused(t, wrong, { code: 1, says })
  t.notMatch(wrong.stderr, 'sesame', 'the password is not repeated')
  const right = await cairn(
    'append',
    'note/n',
    'noted',
    ...ns,
    '--nats',
    at('bob:open%3Asesame'),
    '--json',
  )
  t.equal(right.code, 0, right.stderr)
  t.strictSame(
    JSON.parse(right.stdout),
    { version: 1, position: 1 },
    'the right login in the URL is used; the refused ones stored nothing',
  )
})

await t.test('a login that is a token', async t => {
  await using server = await startNats({
    config: 'authorization { token: "open-sesame" }',
  })
  const at = (login: string) => [
    '--ns',
    'token',
    '--nats',
    `nats://${login}127.0.0.1:${server.port}`,
  ]
  isRefused(t, await cairn('append', 'note/n', 'noted', ...at('')), {
    code: 1,
    says: /refused the credentials/,
  })
  const right = await cairn('append', 'note/n', 'noted', ...at('open-sesame@'))
  t.equal(right.code, 0, right.stderr)
})

await t.test('credentials files that are missing or garbage', async t => {
  await using server = await startNats()
  const flags = ['--ns', 'creds', '--nats', server.url]
  const missing = join(dir, 'missing.creds')
  await everyoneIsRefused(t, [...flags, '--creds', missing], {
    code: 2,
    says: /credentials file .*missing\.creds cannot be read/,
  })
  const garbage = join(dir, 'garbage.creds')
  await writeFile(garbage, 'these are no credentials\n')
  await everyoneIsRefused(t, [...flags, '--creds', garbage], {
    code: 2,
    says: /garbage\.creds is invalid/,
  })
  const listed = await cairn('actors', ...flags)
  t.strictSame([listed.code, listed.stdout], [1, ''], 'nothing was created')
})

await t.test('an event larger than the server accepts', async t => {
  await using server = await startNats({ maxPayload: 4096 })
  const flags = ['--ns', 'small', '--nats', server.url, '--json']
  t.equal((await cairn('append', 'note/n', 'noted', ...flags)).code, 0)
  const large = JSON.stringify('x'.repeat(5000))
  isRefused(t, await cairn('append', 'note/n', 'noted', large, ...flags), {
    code: 1,
    says: /takes 5\d\d\d bytes, and the server's max_payload is 4096: split it/,
  })
  const next = await cairn('append', 'note/n', 'noted', ...flags)
  t.strictSame(
    JSON.parse(next.stdout),
    { version: 2, position: 2 },
    'nothing of it was stored',
  )
})

await t.test('a stream of that name that is not a log', async t => {
  await using server = await startNats()
  await withConnection({ servers: server.url }, async nc => {
    const manager = await nc.jetstreamManager()
    await manager.streams.add({ name: 'CAIRN_foreign', subjects: ['orders.>'] })
    await manager.streams.add({ name: 'EVERYTHING', subjects: ['cairn.taken.>'] })
    const before = (await manager.streams.info('CAIRN_foreign')).config
    await everyoneIsRefused(t, ['--ns', 'foreign', '--nats', server.url], {
      code: 1,
      says: /Stream CAIRN_foreign exists and is not a Cairn log.*subjects is \["orders\.>"\].*Use another namespace/,
    })
    t.strictSame(
      (await manager.streams.info('CAIRN_foreign')).config,
      before,
      'it is unchanged',
    )
    await everyoneIsRefused(t, ['--ns', 'taken', '--nats', server.url], {
      code: 1,
      says: /Another stream already stores cairn\.taken\.log\.>.*nats stream ls|There is no namespace "taken"/,
    })
    const info = await manager.streams.info('EVERYTHING')
    t.equal(info.state.messages, 0, 'nothing was written into the other stream')
  })
})

await t.test('no node hosts the actor type', async t => {
  await using server = await startNats()
  const flags = ['--ns', 'alone', '--nats', server.url]
  await cairn('namespaces', 'create', 'alone', '--nats', server.url)
  const wanted = {
    code: 3,
    says: /No node of namespace alone serves actor type account: start one with "node dist\/node\.js --ns alone/,
  }
  isRefused(t, await cairn('ask', 'account/a', 'balance', ...flags), wanted)
  isRefused(t, await cairn('state', 'account/a', ...flags), wanted)
})
