// What a namespace may use is limited: the end of it is an error that says so, and no neighbour notices.

import { connect } from 'nats'
import t from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import { isCairnError } from '../../src/model/errors.js'
import { aclConfig, loginOf } from '../support/acl.js'
import { type NatsServer, startNats } from '../support/nats.js'

const [poor, neighbour] = ['tenant-a', 'tenant-b']
const large = 'x'.repeat(50_000)

const open = (
  { url }: NatsServer,
  namespace: string,
  role: 'node' | 'operator' = 'node',
) =>
  jetstream({ servers: url, ...loginOf(namespace, role) }).open({
    namespace,
    nodeId: 'n',
  })

async function create(server: NatsServer) {
  for (const namespace of [poor, neighbour])
    await (await open(server, namespace, 'operator')).close()
}

/** Appends until it is refused, and resolves with the error. */
async function fill(server: NatsServer): Promise<unknown> {
  await using opened = await open(server, poor)
  for (let i = 0; i < 100; i++)
    try {
      await opened.store.append({ type: 'note', id: `n${i}` }, [
        { type: 'noted', data: large },
      ])
    } catch (error) {
      // What is full stays readable.
      t.equal((await opened.store.head({ type: 'note', id: 'n0' })).version, 1)
      return error
    }
  return undefined
}

async function neighbourWorks(server: NatsServer) {
  await using opened = await open(server, neighbour)
  const stored = await opened.store.append({ type: 'note', id: 'n' }, [
    { type: 'noted', data: large },
  ])
  t.match(stored, { ok: true })
}

await t.test('the bytes of an account', async t => {
  const config = aclConfig([poor, neighbour], {
    accounts: true,
    quota: { bytes: '500KB' },
  })
  await using server = await startNats({ config })
  await create(server)
  const error = await fill(server)
  t.ok(isCairnError(error, 'storage-failed'), String(error))
  t.match(error, { message: /the account may store no more: raise its max_file/ })
  await neighbourWorks(server)
})

await t.test('the bytes of a log, in one account', async t => {
  await using server = await startNats({ config: aclConfig([poor, neighbour]) })
  await create(server)
  const { user, password: pass } = loginOf(poor, 'operator')
  const nc = await connect({
    servers: server.url,
    user,
    pass,
    inboxPrefix: `_INBOX_${poor}`,
  })
  const ask = async (call: string, body = '') =>
    (await nc.request(`$JS.API.${call}.CAIRN_${poor}`, body)).json<{ config: object }>()
  const { config } = await ask('STREAM.INFO')
  t.match(await ask('STREAM.UPDATE', JSON.stringify({ ...config, max_bytes: 500_000 })), {
    config: { max_bytes: 500_000 },
  })
  await nc.close()
  const error = await fill(server)
  t.ok(isCairnError(error, 'storage-failed'), String(error))
  t.match(error, { message: /a limit of the stream is reached/ })
  await neighbourWorks(server)
})

for (const [what, wanted, says] of [
  [
    'streams',
    'max_streams: 3',
    /the account may have no more streams: raise its max_streams/,
  ],
  [
    'consumers',
    'max_consumers: 100',
    /asks for more consumers than the account may have: raise its max_consumers/,
  ],
] as const)
  await t.test(`an account with too few ${what} for a namespace`, async t => {
    const config = aclConfig([poor, neighbour], {
      accounts: true,
      quota: { bytes: '1GB' },
    })
    const [name] = wanted.split(':')
    const scarce = config.replace(new RegExp(`${name}: \\d+`), wanted)
    await using server = await startNats({ config: scarce })
    await t.rejects(open(server, poor, 'operator'), {
      code: 'storage-failed',
      message: says,
    })
    await (await open(server, neighbour, 'operator')).close()
    await neighbourWorks(server)
  })
