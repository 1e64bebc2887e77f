// The transport contract: one suite for every implementation of src/cluster/transport.ts.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect as dial, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t, { type Test } from 'tap'

import { type MemoryNetwork, MemoryTransport } from '../../src/cluster/memory.js'
import { NatsTransport } from '../../src/cluster/nats.js'
import { SocketTransport } from '../../src/cluster/socket.js'
import type { NodeRequest, Transport } from '../../src/cluster/transport.js'
import { encode } from '../../src/codec/msgpack.js'
import { CairnError } from '../../src/model/errors.js'
import { deferred } from '../../src/model/wait.js'
import { Connection } from '../../src/nats/connection.js'
import { freshNamespace, throwsCode } from '../jetstream/nodes.js'
import { bareFork } from '../support/bare.js'
import { startNats } from '../support/nats.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/wait.js'

const actor = { type: 'account', id: 'alice/é b' }
const ask = (command: string, data: unknown = null): NodeRequest => ({
  kind: 'ask',
  actor,
  command,
  data,
})

/** Makes transports of one namespace: each call makes another, like another process. */
type Make = () => Promise<Transport>

const dir = await mkdtemp(join(tmpdir(), 'cairn-transport-'))
t.teardown(() => rm(dir, { recursive: true, force: true }))
await using server = await startNats()

/** A transport whose closing closes its connection too. */
async function natsTransport(servers: string, namespace: string) {
  const options = { servers, ignoreClusterUpdates: true }
  const connection = await Connection.open(options, namespace, 'test')
  const transport = new NatsTransport(connection, namespace)
  const close = async () => {
    await transport.close()
    await connection.close()
  }
  return { connection, transport, close }
}

const kinds: [string, () => { make: Make; end(): Promise<void> }][] = [
  [
    'memory',
    () => {
      const network: MemoryNetwork = new Set()
      return { make: async () => new MemoryTransport(network), end: async () => {} }
    },
  ],
  [
    'sockets',
    () => {
      const namespace = freshNamespace()
      return {
        make: async () => new SocketTransport(dir, namespace),
        end: async () => {},
      }
    },
  ],
  [
    'NATS',
    () => {
      const namespace = freshNamespace()
      const open: { close(): Promise<void> }[] = []
      return {
        async make() {
          const one = await natsTransport(server.url, namespace)
          open.push(one)
          return one.transport
        },
        async end() {
          for (const one of open) await one.close()
        },
      }
    },
  ],
]

for (const [kind, start] of kinds)
  await t.test(`the transport contract, implemented by ${kind}`, async t => {
    const test = (title: string, body: (t: Test, make: Make) => Promise<void>) =>
      t.test(title, async t => {
        const { make, end } = start()
        const made: Transport[] = []
        try {
          await body(t, async () => {
            made.push(await make())
            return made.at(-1)!
          })
        } finally {
          for (const transport of made) await transport.close()
          await end()
        }
      })

    await test('a request and its answer arrive unchanged', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      const seen: unknown[] = []
      await node.serve('n1', ['account'], async (request, options) => {
        seen.push(request)
        t.ok(options.timeout > 0 && options.timeout <= 5_000, 'with the time left')
        return {
          version: 3n,
          when: new Date(5),
          bytes: Buffer.from('ab'),
          list: [1, null],
        }
      })
      const request: NodeRequest = {
        kind: 'ask',
        actor,
        command: 'deposit',
        data: { amount: 5, note: 'é\u0000' },
        commandId: 'c1',
        correlationId: 'r1',
        causationId: 'e1',
        traceparent: '00-1-2-3',
      }
      const answer = await caller.request(request, { timeout: 5_000 })
      t.match(answer, { when: new Date(5), list: [1, null] })
      t.strictSame(seen, [request])
      const state: NodeRequest = { kind: 'state', actor, version: 7 }
      await caller.request(state, { timeout: 5_000 })
      t.strictSame(seen[1], state)
    })

    await test('TRANSPORT-3: an error keeps its code, message and details', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      const errors: Record<string, () => unknown> = {
        known: () =>
          new CairnError('actor-parked', 'It is parked.', { details: { version: 3 } }),
        odd: () =>
          new CairnError('decide-failed', 'Odd details.', {
            details: { odd: () => 1 },
          }),
        plain: () => new RangeError('out of range'),
        text: () => 'just a text',
      }
      await node.serve('n1', ['account'], async request => {
        throw errors[request.kind === 'ask' ? request.command : '']!()
      })
      const parked = await throwsCode(t, 'actor-parked', () =>
        caller.request(ask('known')),
      )
      t.equal(parked.message, 'It is parked.')
      t.strictSame(parked.details, { version: 3 })
      t.equal(parked.retryable, false)
      await throwsCode(t, 'decide-failed', () => caller.request(ask('odd')), 'Odd')
      await throwsCode(t, 'remote-failure', () => caller.request(ask('plain')), 'range')
      await throwsCode(t, 'remote-failure', () => caller.request(ask('text')), 'just')
    })

    await test('an answer that cannot be encoded is an error, and the node continues', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      let calls = 0
      await node.serve('n1', ['account'], async () =>
        calls++ === 0 ? new Map() : 'fine',
      )
      await throwsCode(t, 'invalid-data', () => caller.request(ask('map')), 'Map')
      t.equal(await caller.request(ask('again')), 'fine')
      await throwsCode(t, 'invalid-data', () => caller.request(ask('map', new Set())))
      t.equal(calls, 2, 'a request that cannot be encoded is not sent')
    })

    await test('TRANSPORT-1: a request without a node that serves the type fails with no-node', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      const error = await throwsCode(
        t,
        'no-node',
        () => caller.request(ask('any')),
        'account',
      )
      t.equal(error.retryable, true)
      await node.serve('n1', ['other'], async () => 'wrong')
      await throwsCode(t, 'no-node', () => caller.request(ask('any')))
    })

    await test('a deadline and a signal end the wait, not the work', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      const begun = deferred<void>()
      const gate = deferred<string>()
      let done = 0
      await node.serve('n1', ['account'], async request => {
        if (request.kind === 'ask' && request.command === 'signalled') begun.resolve()
        const answer = await gate.promise
        done++
        return answer
      })
      await throwsCode(
        t,
        'outcome-unknown',
        () => caller.request(ask('slow'), { timeout: 60 }),
        'alice',
      )
      const stop = new AbortController()
      const work = caller.request(ask('signalled'), { signal: stop.signal })
      const refused = throwsCode(t, 'aborted', () => work, 'alice')
      await begun.promise
      stop.abort()
      await refused
      gate.resolve('late')
      await until(() => done === 2)
      await throwsCode(t, 'aborted', () =>
        caller.request(ask('never'), { signal: stop.signal }),
      )
      t.equal(await caller.request(ask('next')), 'late')
      t.equal(done, 3, 'an aborted request is not sent')
    })

    await test('many requests at once each get their own answer', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      await node.serve('n1', ['account'], async request => {
        const data = request.kind === 'ask' ? (request.data as number) : -1
        // Answered out of order.
        await new Promise(resolve => setTimeout(resolve, (data * 7) % 10))
        return data
      })
      const numbers = Array.from({ length: 200 }, (_, i) => i)
      const answers = await Promise.all(numbers.map(i => caller.request(ask('n', i))))
      t.strictSame(answers, numbers)
    })

    await test('each request reaches exactly one of two nodes, and the other takes over', async (t, make) => {
      const [one, two, caller] = [await make(), await make(), await make()]
      const counts = { one: 0, two: 0 }
      const serving = await one.serve('n1', ['account'], async () => ++counts.one)
      await two.serve('n2', ['account'], async () => ++counts.two)
      for (let i = 0; i < 60; i++) await caller.request(ask('count'))
      t.equal(counts.one + counts.two, 60)
      t.equal(await caller.request(ask('count'), { to: 'n2' }), counts.two)
      const before = counts.two
      await serving.stop()
      for (let i = 0; i < 20; i++) await caller.request(ask('count'))
      t.equal(counts.two, before + 20)
      await throwsCode(t, 'no-node', () => caller.request(ask('count'), { to: 'n1' }))
    })

    await test('stop() answers the active requests, and accepts no more', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      const gate = deferred<void>()
      let begun = 0
      const serving = await node.serve('n1', ['account'], async () => {
        begun++
        await gate.promise
        return 'done'
      })
      const work = [1, 2, 3].map(() => caller.request(ask('work')))
      await until(() => begun === 3)
      let stopped = false
      const stop = serving.stop().then(() => (stopped = true))
      await until(async () => {
        const error = await caller
          .request(ask('late'), { timeout: 300 })
          .catch((thrown: unknown) => thrown)
        return (error as CairnError).code === 'no-node'
      })
      t.equal(stopped, false, 'it waits for the active requests')
      // A request in flight when stop() was called may still have been accepted.
      const taken = begun
      gate.resolve()
      t.strictSame(await Promise.all(work), ['done', 'done', 'done'])
      await stop
      await throwsCode(t, 'no-node', () => caller.request(ask('late')))
      t.equal(begun, taken, 'no request is accepted afterwards')
      await serving.stop()
    })

    await test('large requests and answers arrive', async (t, make) => {
      const [node, caller] = [await make(), await make()]
      await node.serve('n1', ['account'], async request =>
        request.kind === 'ask' ? request.data : null,
      )
      const text = 'x'.repeat(900_000)
      t.equal(await caller.request(ask('echo', text)), text)
    })
  })

await t.test(
  'NATS: garbage is answered with an error, and the node continues',
  async t => {
    const namespace = freshNamespace()
    const node = await natsTransport(server.url, namespace)
    const caller = await natsTransport(server.url, namespace)
    let calls = 0
    await node.transport.serve('n1', ['account'], async () => ++calls)
    const envelope = (request: unknown, timeout: unknown = 100) =>
      encode({ request, timeout })
    const garbage: Uint8Array[] = [
      new Uint8Array(),
      Buffer.from('garbage'),
      Buffer.from([0xc1]),
      Buffer.from([0xc0]),
      encode(null),
      encode([]),
      encode({}),
      envelope(null),
      envelope({ kind: 'other', actor }),
      envelope({ kind: 'ask', actor: null, command: 'x', data: 1 }),
      envelope({ kind: 'ask', actor: 'alice', command: 'x', data: 1 }),
      envelope({ kind: 'ask', actor: { type: 'a.b', id: 'x' }, command: 'x', data: 1 }),
      envelope({
        kind: 'ask',
        actor: { type: 'account', id: '' },
        command: 'x',
        data: 1,
      }),
      envelope({ kind: 'ask', actor, command: 7, data: 1 }),
      envelope({ kind: 'state', actor, version: -1 }),
      envelope({ kind: 'state', actor, version: 'x' }),
      envelope(ask('x'), 'soon'),
      envelope(ask('x'), 0),
    ]
    for (const [i, bytes] of garbage.entries()) {
      const { requests } = caller.connection
      const reply = await requests.request(`cairn.${namespace}.ask.account`, bytes, 2_000)
      const answer =
        reply.kind === 'message' ? Buffer.from(reply.message.data) : undefined
      if (!answer?.includes('error')) t.fail(`garbage ${i}: ${reply.kind}`)
    }
    // A message without a reply subject gets no answer.
    caller.connection.nc.publish(`cairn.${namespace}.ask.account`, 'garbage')
    t.equal(calls, 0)
    t.equal(await caller.transport.request(ask('x')), 1)
    await caller.close()
    await node.close()
  },
)

await t.test('NATS: an invalid answer is an error', async t => {
  const namespace = freshNamespace()
  const caller = await natsTransport(server.url, namespace)
  const answers = ['garbage', '', encode({ ok: false }), encode(7), encode(null)]
  const subject = `cairn.${namespace}.ask.account`
  await caller.connection.subscribe(subject, message => {
    message.respond(answers.shift())
  })
  while (answers.length > 0)
    await throwsCode(t, 'remote-failure', () => caller.transport.request(ask('x')))
  await caller.close()
})

await t.test(
  'NATS: requests and answers that are too large are refused, and the node continues',
  async t => {
    await using small = await startNats({ maxPayload: 4_096 })
    const namespace = freshNamespace()
    const node = await natsTransport(small.url, namespace)
    const caller = await natsTransport(small.url, namespace)
    await node.transport.serve('n1', ['account'], async request =>
      request.kind === 'ask' && request.command === 'big' ? 'x'.repeat(5_000) : 'small',
    )
    const { transport } = caller
    await throwsCode(t, 'remote-failure', () => transport.request(ask('big')), '4096')
    await throwsCode(
      t,
      'invalid-command',
      () => transport.request(ask('small', 'y'.repeat(5_000))),
      '4096',
    )
    t.equal(await transport.request(ask('small')), 'small')
    await caller.close()
    await node.close()
  },
)

await t.test('NATS: a lost connection ends the wait with answer-lost', async t => {
  const namespace = freshNamespace()
  await using proxy = await startProxy(server.url)
  const node = await natsTransport(server.url, namespace)
  const caller = await natsTransport(proxy.url, namespace)
  const gate = deferred<void>()
  let begun = 0
  await node.transport.serve('n1', ['account'], async () => {
    begun++
    await gate.promise
    return 'answered'
  })
  const work = caller.transport.request(ask('x'), { timeout: 60_000 })
  const lost = throwsCode(t, 'answer-lost', () => work, 'alice', 'command id')
  await until(() => begun === 1)
  proxy.cut()
  await lost
  gate.resolve()
  await until(() => caller.connection.connected)
  t.equal(await caller.transport.request(ask('x')), 'answered')
  await caller.close()
  await node.close()
})

await t.test(
  'NATS: a node whose connection closes while it handles a request does not fail',
  async t => {
    const namespace = freshNamespace()
    const node = await natsTransport(server.url, namespace)
    const caller = await natsTransport(server.url, namespace)
    const gate = deferred<void>()
    const ended = deferred<void>()
    let begun = 0
    await node.transport.serve('n1', ['account'], async () => {
      begun++
      await gate.promise
      setImmediate(ended.resolve)
      return 'too late'
    })
    const work = caller.transport.request(ask('x'), { timeout: 300 })
    const refused = throwsCode(t, 'outcome-unknown', () => work)
    await until(() => begun === 1)
    await node.connection.close()
    gate.resolve()
    await ended.promise
    await refused
    await node.transport.close()
    await caller.close()
  },
)

await t.test('NATS: closing ends although the server does not answer', async t => {
  await using proxy = await startProxy(server.url)
  const namespace = freshNamespace()
  const node = await natsTransport(proxy.url, namespace)
  await node.transport.serve('n1', ['account'], async () => 'x')
  proxy.dropReplies(true)
  await node.close()
  t.ok(node.connection.closed)
})

const child = `
import { SocketTransport } from ${JSON.stringify(new URL('../../src/cluster/socket.js', import.meta.url).href)}
const transport = new SocketTransport(process.argv[2], process.argv[3])
await transport.serve(process.argv[4], ['account'], async request =>
  request.command === 'hang' ? new Promise(() => {}) : 'from the child')
process.send('serving')
setInterval(() => {}, 1000)
`

await t.test('sockets: the announcement of a killed process is removed', async t => {
  const namespace = freshNamespace()
  const script = join(dir, 'child.mjs')
  await writeFile(script, child)
  const spawn = async (id: string) => {
    const one = fork(script, [dir, namespace, id], bareFork)
    t.teardown(() => one.kill('SIGKILL'))
    await once(one, 'message')
    return one
  }
  const caller = new SocketTransport(dir, namespace)
  const announcements = () => readdir(join(dir, `${namespace}.nodes`))
  const one = await spawn('child')
  t.equal(await caller.request(ask('x')), 'from the child')
  t.strictSame(await announcements(), ['child.json'])
  const hanging = caller.request(ask('hang'), { timeout: 60_000 })
  const lost = throwsCode(t, 'answer-lost', () => hanging, 'alice')
  t.equal(await caller.request(ask('x')), 'from the child')
  one.kill('SIGKILL')
  await once(one, 'exit')
  await lost
  t.strictSame(await announcements(), ['child.json'], 'it left its announcement')
  await throwsCode(t, 'no-node', () => caller.request(ask('x')), namespace)
  t.strictSame(await announcements(), [])
  await spawn('child')
  t.equal(await caller.request(ask('x')), 'from the child', 'the same id again')
})

await t.test('sockets: an invalid announcement is skipped', async t => {
  const namespace = freshNamespace()
  const [node, caller] = [
    new SocketTransport(dir, namespace),
    new SocketTransport(dir, namespace),
  ]
  const serving = await node.serve('z-node', ['account'], async () => 'fine')
  const folder = join(dir, `${namespace}.nodes`)
  const invalid = [
    '',
    'null',
    '7',
    '{}',
    '{"socket":7,"types":[]}',
    '{"types":["account"]}',
  ]
  for (const [i, text] of invalid.entries())
    await writeFile(join(folder, `a${i}.json`), text)
  t.equal(await caller.request(ask('x')), 'fine')
  await serving.stop()
})

await t.test('sockets: a node survives garbage', async t => {
  const namespace = freshNamespace()
  const node = new SocketTransport(dir, namespace)
  let calls = 0
  const serving = await node.serve('n1', ['account'], async () => ++calls)
  const { readFile } = await import('node:fs/promises')
  const announcement = await readFile(join(dir, `${namespace}.nodes`, 'n1.json'), 'utf8')
  const { socket: path } = JSON.parse(announcement) as { socket: string }
  // Too long, cut off, and complete but not a request.
  for (const bytes of [
    [255, 255, 255, 255, 1],
    [0, 0, 1, 0, 7],
    [0, 0],
    [0, 0, 0, 1, 193],
  ]) {
    const socket = dial(path)
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.end(Buffer.from(bytes))
    socket.resume()
    await once(socket, 'close')
  }
  t.equal(calls, 0)
  t.equal(await node.request(ask('x')), 1)
  await serving.stop()
})

await t.test('sockets: an answer from another program is an error', async t => {
  const namespace = freshNamespace()
  const path = join(dir, 'fake.sock')
  const fake = createServer(socket => {
    socket.on('error', () => {})
    socket.resume()
    socket.end(Buffer.from([0, 0, 0, 1, 0xc1]))
  })
  await new Promise<void>(resolve => fake.listen(path, resolve))
  const caller = new SocketTransport(dir, namespace)
  const real = await caller.serve('n1', ['other'], async () => 'x')
  const folder = join(dir, `${namespace}.nodes`)
  await writeFile(
    join(folder, 'fake.json'),
    JSON.stringify({ socket: path, types: ['account'] }),
  )
  await throwsCode(t, 'remote-failure', () => caller.request(ask('x')))
  await real.stop()
  await new Promise(resolve => fake.close(resolve))
})
