// The walls of a node's local socket: what half-sent requests hold, for how long, and who may connect.

import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { dirname, join } from 'node:path'

import t, { type Test } from 'tap'

import { readAnswer } from '../../src/cluster/request-codec.js'
import { readMessages } from '../../src/cluster/socket-messages.js'
import { SocketTransport } from '../../src/cluster/socket.js'
import type { NodeRequest } from '../../src/cluster/transport.js'
import { deferred } from '../../src/model/wait.js'
import { throwsCode } from '../jetstream/nodes.js'
import { bare } from '../support/bare.js'

const request: NodeRequest = {
  kind: 'ask',
  actor: { type: 'account', id: 'a' },
  command: 'add',
  data: null,
}

/** A node that serves, and the path of its socket. */
async function serve(t: Test, bounds = {}) {
  const dir = t.testdir()
  const transport = new SocketTransport(dir, 'walls', bounds)
  await transport.serve('n', ['account'], async () => 'done')
  t.teardown(() => transport.close())
  const card = join(dir, 'walls.nodes', 'n.json')
  const { socket } = JSON.parse(await readFile(card, 'utf8')) as { socket: string }
  return { dir, transport, card, socket }
}

/** A connection that has been greeted, and what it receives after that. */
async function connect(
  path: string,
): Promise<{ connection: Socket; messages: Uint8Array[] }> {
  const connection = createConnection(path)
  const messages: Uint8Array[] = []
  const greeted = new Promise<void>(resolve => {
    readMessages(connection, bytes => {
      if (bytes.length > 0) messages.push(bytes)
      resolve()
    })
  })
  connection.on('error', () => {})
  await greeted
  return { connection, messages }
}

/** Also after an error: the other side may close while this one writes. */
function closeOf(connection: Socket): Promise<void> {
  return new Promise(resolve => connection.once('close', () => resolve()))
}

/** The beginning of a request of `size` bytes. */
function beginning(size: number, sent: number): Buffer {
  const bytes = Buffer.alloc(4 + sent)
  bytes.writeUInt32BE(size)
  return bytes
}

await t.test(
  'a request that does not arrive whole ends its connection, and says why',
  async t => {
    const { socket, transport } = await serve(t, {
      requestTimeout: 50,
      idleTimeout: 60_000,
    })
    const { connection, messages } = await connect(socket)
    connection.write(beginning(1_000, 10))
    await closeOf(connection)
    await throwsCode(
      t,
      'deadline-exceeded',
      async () => readAnswer(messages[0]!),
      '14 bytes',
    )
    t.equal(await transport.request(request), 'done', 'others are served')
  },
)

await t.test(
  'bytes of requests that are not whole are bounded over all connections',
  async t => {
    const mebibyte = 1024 * 1024
    const { socket, transport } = await serve(t, { bytesMax: 4 * mebibyte })
    const small = await connect(socket)
    small.connection.write(beginning(1_000, 10))
    const large = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connect(socket)))
    const ended: Uint8Array[] = []
    const closed = large.map(async ({ connection, messages }) => {
      connection.write(beginning(10 * mebibyte, 2 * mebibyte))
      await closeOf(connection)
      ended.push(...messages)
    })
    // Each of the later ones takes the place of one that holds as much.
    await Promise.any(closed)
    await throwsCode(
      t,
      'queue-full',
      async () => readAnswer(ended[0]!),
      'nothing was done',
    )
    t.equal(await transport.request(request), 'done', 'a request that fits is answered')
    t.notOk(small.connection.destroyed, 'and one that holds little goes on')
    for (const { connection } of [small, ...large]) connection.destroy()
    await Promise.all(closed)
  },
)

await t.test('a connection on which nothing is asked ends', async t => {
  const { socket } = await serve(t, { idleTimeout: 50 })
  const { connection, messages } = await connect(socket)
  await closeOf(connection)
  t.equal(messages.length, 0)
})

await t.test(
  'a handler that takes longer than any of it keeps its connection',
  async t => {
    const dir = t.testdir()
    const transport = new SocketTransport(dir, 'walls', {
      idleTimeout: 20,
      requestTimeout: 20,
    })
    t.teardown(() => transport.close())
    let end = (): void => {}
    const ended = new Promise<void>(resolve => (end = resolve))
    await transport.serve('n', ['account'], async () => {
      setTimeout(end, 150)
      await ended
      return 'late'
    })
    t.equal(await transport.request(request), 'late')
  },
)

await t.test(
  'a node can be found and reached by its user alone, whatever the umask',
  async t => {
    const before = process.umask(0)
    t.teardown(() => process.umask(before))
    const { dir, card, socket } = await serve(t)
    const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
    t.equal(await modeOf(join(dir, 'walls.nodes')), '700')
    t.equal(await modeOf(card), '600')
    t.equal(await modeOf(dirname(socket)), '700')
    t.equal(await modeOf(socket), '600')
    t.strictSame(await readdir(join(dir, 'walls.nodes')), ['n.json'])
    if (process.getuid?.() !== 0) return
    const script = `process.setgid(65534); process.setuid(65534)
    require('node:net').createConnection(process.argv[1])
      .on('error', error => console.log(error.code)).on('connect', () => console.log('connected'))`
    const [command, args] = bare(process.execPath, '-e', script, socket)
    const { promise, resolve } = deferred<string>()
    execFile(command, args, (_error, stdout) => resolve(stdout.trim()))
    t.equal(await promise, 'EACCES', 'another user is refused')
  },
)
