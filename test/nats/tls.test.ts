// TLS with real servers and certificates: what is accepted, how each failure is named, and that nothing is sent in plain
// text where TLS was asked for.

import { once } from 'node:events'
import { copyFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'

import t from 'tap'

import { jetstream, type JetStreamOptions } from '../../src/backend/jetstream.js'
import { defineActor, event, startNode } from '../../src/index.js'
import { CairnError, type ErrorCode } from '../../src/model/errors.js'
import type { TlsFailureKind } from '../../src/nats/tls-failures.js'
import { cairn } from '../multinode/harness.js'
import { startNats } from '../support/nats.js'
import {
  makeAuthority,
  makeCertificate,
  type PemFiles,
  writePem,
} from '../support/nats/certificates.js'
import { until } from '../support/wait.js'

const dir = t.testdir()
const authority = await makeAuthority('authority')
const stranger = await makeAuthority('stranger')
const { cert: ca } = await writePem(dir, 'ca', authority)
const { cert: otherCa } = await writePem(dir, 'other-ca', stranger)
const pemOf = async (
  name: string,
  options: Partial<Parameters<typeof makeCertificate>[0]> = {},
) => writePem(dir, name, await makeCertificate({ authority, ...options }))
const good = await pemOf('good')
const client = await pemOf('client', { hosts: ['client'] })
const strange = await pemOf('strange', { hosts: ['client'], authority: stranger })

/** A `tls` block of the server's configuration. */
const tlsBlock = ({ cert, key }: PemFiles, more = '') =>
  `tls { cert_file: "${cert}", key_file: "${key}", ${more} }`
const serverWith = async (config: string) => {
  const server = await startNats({ config })
  t.teardown(() => server[Symbol.asyncDispose]())
  return server
}
const secure = await serverWith(tlsBlock(good))
const verifying = await serverWith(tlsBlock(good, `ca_file: "${ca}", verify: true`))
const plain = await serverWith('')

const openAt = (options: JetStreamOptions) =>
  jetstream({ connectTimeout: 5_000, ...options }).open({ namespace: 'n', nodeId: 'n' })
const urlOf = ({ port }: { port: number }, host = '127.0.0.1') => `tls://${host}:${port}`

await t.test('a node works over TLS, by name and by address', async t => {
  const tally = defineActor({
    type: 'tally',
    initialState: 0,
    decide: { add: () => event('added') },
    evolve: { added: state => state + 1 },
  })
  for (const host of ['127.0.0.1', 'localhost'])
    for (const tls of [{ ca }, { ca, ...client }]) {
      const servers = urlOf('cert' in tls ? verifying : secure, host)
      await using node = await startNode({
        namespace: 'over-tls',
        store: jetstream({ servers, tls }),
        actors: [tally],
      })
      const { version } = await node.spawn(tally, host).ask('add')
      t.ok(version > 0, `${servers} ${Object.keys(tls).join()}`)
    }
})

const failures: [
  name: string,
  options: () => Promise<JetStreamOptions>,
  kind: TlsFailureKind,
  code: ErrorCode,
][] = [
  [
    'no authority is given',
    async () => ({ servers: urlOf(secure) }),
    'unknown-authority',
    'store-unreachable',
  ],
  [
    'another authority is given',
    async () => ({ servers: urlOf(secure), tls: { ca: otherCa } }),
    'unknown-authority',
    'store-unreachable',
  ],
  [
    'the certificate is for another host',
    async () => ({
      servers: urlOf(
        await serverWith(tlsBlock(await pemOf('host', { hosts: ['nats.example'] }))),
      ),
      tls: { ca },
    }),
    'wrong-host',
    'store-unreachable',
  ],
  [
    'the certificate is for the name only, and the address is used',
    async () => ({
      servers: urlOf(
        await serverWith(tlsBlock(await pemOf('named', { hosts: ['localhost'] }))),
      ),
      tls: { ca },
    }),
    'wrong-host',
    'store-unreachable',
  ],
  [
    'the certificate has expired',
    async () => ({
      servers: urlOf(
        await serverWith(tlsBlock(await pemOf('old', { from: -9, to: -1 }))),
      ),
      tls: { ca },
    }),
    'expired',
    'store-unreachable',
  ],
  [
    'the certificate is not valid yet',
    async () => ({
      servers: urlOf(await serverWith(tlsBlock(await pemOf('new', { from: 1, to: 9 })))),
      tls: { ca },
    }),
    'expired',
    'store-unreachable',
  ],
  [
    'the client has no certificate',
    async () => ({ servers: urlOf(verifying), tls: { ca } }),
    'client-certificate-required',
    'unauthorized',
  ],
  [
    "the client's certificate is from another authority",
    async () => ({ servers: urlOf(verifying), tls: { ca, ...strange } }),
    'client-certificate-required',
    'unauthorized',
  ],
  [
    'the server has no TLS',
    async () => ({ servers: urlOf(plain) }),
    'plaintext-server',
    'store-unreachable',
  ],
  [
    'the server has no TLS, and TLS is to begin first',
    async () => ({ servers: urlOf(plain), tls: { ca, handshakeFirst: true } }),
    'plaintext-server',
    'store-unreachable',
  ],
  [
    'the file of the authority does not exist',
    async () => ({ servers: urlOf(secure), tls: { ca: join(dir, 'none') } }),
    'invalid-files',
    'invalid-option',
  ],
  [
    'the key is of another certificate',
    async () => ({
      servers: urlOf(verifying),
      tls: { ca, cert: client.cert, key: good.key },
    }),
    'invalid-files',
    'invalid-option',
  ],
  [
    'the certificate is garbage',
    async () => {
      const cert = join(dir, 'garbage')
      await writeFile(cert, 'garbage')
      return { servers: urlOf(verifying), tls: { ca, cert, key: client.key } }
    },
    'invalid-files',
    'invalid-option',
  ],
]

await t.test('each failure is named, with what to do', async t => {
  for (const [name, options, kind, code] of failures) {
    const error = await openAt(await options()).then(
      open => open.close(),
      (reason: unknown) => reason,
    )
    if (!(error instanceof CairnError)) {
      t.fail(`${name}: no error, or another one: ${String(error)}`)
      continue
    }
    t.match(error, { code, details: { tls: kind } }, `${name}: ${error.message}`)
    t.match(error.message, /\. [A-Z].+\.$/, 'a second sentence says what to do')
  }
})

await t.test('a server that begins with TLS', async t => {
  const first = await serverWith(tlsBlock(good, 'handshake_first: "200ms"'))
  const open = await openAt({ servers: urlOf(first), tls: { ca, handshakeFirst: true } })
  await open.close()
  t.pass('is reached by a handshake')
})

await t.test('nothing is sent in plain text to a server that offers no TLS', async t => {
  const received: Buffer[] = []
  const sockets = new Set<Socket>()
  const listener = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    socket.on('data', chunk => received.push(chunk))
    socket.write(
      'INFO {"server_id":"x","version":"2.12.0","proto":1,"max_payload":1048576,"headers":true,"jetstream":true}\r\n',
    )
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  const { port } = listener.address() as AddressInfo
  for (const options of [
    { servers: `tls://u:secret@127.0.0.1:${port}` },
    { servers: `nats://127.0.0.1:${port}`, user: 'u', password: 'secret', tls: { ca } },
    { servers: `tls://127.0.0.1:${port},127.0.0.1:${port}`, token: 'secret' },
  ])
    t.match(await openAt(options).catch((error: unknown) => error), {
      details: { tls: 'plaintext-server' },
    })
  t.notMatch(Buffer.concat(received).toString('latin1'), /CONNECT|secret/)
})

await t.test("a client's certificate is read again for each connection", async t => {
  const server = await startNats({
    config: tlsBlock(good, `ca_file: "${ca}", verify: true`),
  })
  t.teardown(() => server[Symbol.asyncDispose]())
  const used = { cert: join(dir, 'used.crt'), key: join(dir, 'used.key') }
  const use = async ({ cert, key }: PemFiles) => {
    await copyFile(cert, used.cert)
    await copyFile(key, used.key)
  }
  await use(client)
  await using node = await startNode({
    namespace: 'renewed',
    store: jetstream({ servers: urlOf(server), tls: { ca, ...used } }),
    actors: [],
  })
  const isConnected = () => node.stats().connection?.state === 'connected'
  await use(strange)
  await server.restart()
  await until(() => !isConnected(), { describe: 'the other certificate is refused' })
  await use(await pemOf('renewed', { hosts: ['client'] }))
  await until(isConnected, { describe: 'the renewed one is used', timeout: 60_000 })
  t.pass('without a restart of the node')
})

await t.test('the command line takes the same files', async t => {
  const flags = ['--ns', 'over-tls', '--nats', urlOf(verifying), '--tls-ca', ca]
  const listed = await cairn(
    'actors',
    ...flags,
    '--tls-cert',
    client.cert,
    '--tls-key',
    client.key,
  )
  t.equal(listed.code, 0, listed.stderr)
  const refused = await cairn('actors', ...flags)
  t.equal(refused.code, 1, refused.stderr)
  t.match(refused.stderr, /--tls-cert/)
})
