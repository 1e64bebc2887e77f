// Credentials that change while a node runs: what replaces them in their file is used, and what is refused is named.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nkeys } from 'nats'
import t, { type Test } from 'tap'

import { jetstream, type JetStreamOptions } from '../../src/backend/jetstream.js'
import { account } from '../../src/program/demo/account.js'
import { startNode } from '../../src/runtime/start-node.js'
import { type NatsServer, startNats } from '../support/nats.js'
import { until } from '../support/wait.js'
import { accountWithUsers } from './user-jwts.js'

type KeyPair = ReturnType<typeof nkeys.createUser>

const dir = t.testdir()
const file = (name: string) => join(dir, name)

const start = (server: NatsServer, options: JetStreamOptions) =>
  startNode({
    namespace: 'rotation',
    id: 'n',
    store: jetstream({ servers: server.url, ...options }),
    actors: [account],
    log: false,
  })

/** A node works, is refused, says so without waiting for deadlines, and works with what is then in its file. */
async function rotates(
  t: Test,
  node: Awaited<ReturnType<typeof start>>,
  revoke: () => Promise<unknown>,
  replace: () => Promise<unknown>,
): Promise<void> {
  const alice = node.spawn(account, 'alice')
  const deposit = () => alice.ask('deposit', { amount: 1 }, { timeout: 60_000 })
  t.match(await deposit(), { ok: true, version: 1 })
  await revoke()
  await until(() => node.stats().connection?.state === 'unauthorized')
  t.match(node.stats().connection, { refusal: /.+/, since: Number })
  await t.rejects(deposit(), {
    code: 'unauthorized',
    message:
      /has refused the login since .*; new credentials are used once they are in their file/,
  })
  await replace()
  await until(() => node.stats().connection?.state === 'connected')
  t.match(await deposit(), { ok: true, version: 2 })
  await alice.send('deposit', { amount: 1 })
  await until(async () => (await alice.state()).version === 3)
}

await t.test('a password file', async t => {
  const users = (password: string) => ({
    users: [
      { user: 'u', password },
      { user: 'other', password: 'x' },
    ],
  })
  await using server = await startNats(users('first'))
  await writeFile(file('password'), 'first\n')
  await using node = await start(server, { user: 'u', passwordFile: file('password') })
  await rotates(
    t,
    node,
    () => server.reload(users('second')),
    () => writeFile(file('password'), 'second\n'),
  )
})

await t.test('an nkey file', async t => {
  const [first, second] = [nkeys.createUser(), nkeys.createUser()]
  const config = (key: KeyPair) => ({
    config: `authorization { users: [{ nkey: ${key.getPublicKey()} }] }`,
  })
  const write = (key: KeyPair) => writeFile(file('seed'), Buffer.from(key.getSeed()))
  await using server = await startNats(config(first))
  await write(first)
  await using node = await start(server, { nkey: file('seed') })
  await rotates(
    t,
    node,
    () => server.reload(config(second)),
    () => write(second),
  )
})

await t.test('a credentials file whose user expires', async t => {
  const { config, credsOf } = accountWithUsers()
  await using server = await startNats({ config })
  await writeFile(file('creds'), credsOf({ expiresIn: 5 }))
  await using node = await start(server, { creds: file('creds') })
  await rotates(
    t,
    node,
    async () => {},
    () => writeFile(file('creds'), credsOf()),
  )
  t.comment('a file that is being written is not used')
  await writeFile(file('creds'), '-----BEGIN NATS')
  await server.restart()
  await until(() => node.stats().connection?.reconnects === 2)
  await t.rejects(start(server, { creds: file('creds') }), {
    code: 'invalid-option',
    message: /creds is invalid/,
  })
  await writeFile(file('creds'), credsOf({ expiresIn: -5 }))
  await t.rejects(start(server, { creds: file('creds') }), {
    code: 'unauthorized',
    message: /whether they have expired/,
  })
})

await t.test('credentials that exclude each other', async t => {
  await using server = await startNats()
  for (const options of [
    { token: 'x', user: 'u' },
    { password: 'x' },
    { passwordFile: 'x', creds: 'y' },
    { user: 'u', password: 'x', passwordFile: 'y' },
  ])
    await t.rejects(start(server, options), { code: 'invalid-option' })
  await t.rejects(start(server, { nkey: file('none') }), {
    code: 'invalid-option',
    message: /The nkey file .*none cannot be read/,
  })
})
