// The door of a node: gRPC, gRPC-web and JSON on one port, with one set of errors.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'

import {
  ActorsService,
  DataSchema,
  MessagesService,
  OperationsService,
  PluginService,
  StoreService,
} from '@cairn-es/grpc/contracts'
import { create, fromJson } from '@bufbuild/protobuf'
import { ValueSchema } from '@bufbuild/protobuf/wkt'
import { createClient, type Interceptor, type Transport } from '@connectrpc/connect'
import { createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import t, { type Test } from 'tap'

import { defineActor } from '../../src/actor/define-actor.js'
import { schedule } from '../../src/actor/effects.js'
import { event } from '../../src/actor/event.js'
import { reject } from '../../src/actor/reject.js'
import { memory } from '../../src/backend/memory.js'
import { defineReactor } from '../../src/delivery/reactor/define-reactor.js'
import { TerminalError } from '../../src/model/retry-policy.js'
import { isCairnError } from '../../src/model/errors.js'
import { defineTopic } from '../../src/model/topic.js'
import { startNode } from '../../src/runtime/start-node.js'
import { type GrpcOptions, parseTokens, problemOf, serveGrpc } from '../support/grpc.js'
import { until } from '../support/wait.js'

const account = defineActor({
  type: 'account',
  initialState: { balance: 0 },
  decide: {
    deposit: (_, { amount }: { amount: number }) => ({
      events: event('deposited', { amount }),
      reply: (state: { balance: number }) => state.balance,
    }),
    withdraw: (state, { amount }: { amount: number }) =>
      state.balance < amount
        ? reject('overdraft', 'Not enough.', { balance: state.balance })
        : event('withdrawn', { amount }),
    remind: () => [
      event('deposited', { amount: 0 }),
      schedule('later', { after: 3_600_000 }, 'deposit', { amount: 1 }),
    ],
  },
  evolve: {
    deposited: (state, { amount }: { amount: number }) => ({
      balance: state.balance + amount,
    }),
    withdrawn: (state, { amount }: { amount: number }) => ({
      balance: state.balance - amount,
    }),
  },
})

const refusing = defineReactor({
  name: 'refusing',
  on: defineTopic('refused'),
  handle() {
    throw new TerminalError('never')
  },
})

async function open(t: Test, options: Partial<GrpcOptions> = {}) {
  const backend = memory()
  const node = await startNode({
    namespace: 'door',
    store: backend,
    actors: [account],
    reactors: [refusing],
  })
  const door = await serveGrpc({ node, backend, listen: '127.0.0.1:0', ...options })
  t.teardown(async () => {
    await door.close()
    await node.close()
  })
  return { node, door }
}

const alice = { type: 'account', id: 'alice' }
const amountOf = (amount: number) =>
  create(DataSchema, {
    kind: { case: 'json', value: fromJson(ValueSchema, { amount }) },
  })

await t.test('curl asks, reads and gets errors by code, as JSON', async t => {
  const { door } = await open(t)
  const call = async (method: string, body: object) => {
    const response = await fetch(`${door.address}/cairn.v1.${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as object }
  }
  const asked = await call('ActorsService/Ask', {
    actor: alice,
    command: 'deposit',
    data: { json: { amount: 10 } },
    commandId: 'c1',
  })
  t.match(asked, {
    status: 200,
    body: { accepted: { version: '1', reply: { json: 10 }, commandId: 'c1' } },
  })
  t.match(
    await call('ActorsService/Ask', {
      actor: alice,
      command: 'withdraw',
      data: { json: { amount: 11 } },
    }),
    {
      status: 200,
      body: { rejected: { code: 'overdraft', details: { json: { balance: 10 } } } },
    },
  )
  t.match(
    await call('ActorsService/Ask', {
      actor: alice,
      command: 'deposit',
      data: { json: { amount: 10 } },
      expectedVersion: '7',
    }),
    {
      status: 200,
      body: {
        rejected: {
          code: 'version-conflict',
          details: { json: { expected: 7, actual: 1 } },
        },
      },
    },
  )
  t.match(await call('ActorsService/State', { actor: alice }), {
    body: { state: { json: { balance: 10 } }, version: '1' },
  })
  const unknown = await call('ActorsService/Ask', { actor: alice, command: 'nothing' })
  t.match(unknown, {
    status: 501,
    body: {
      code: 'unimplemented',
      details: [{ type: 'cairn.v1.Problem', debug: { code: 'unknown-command' } }],
    },
  })
  t.match(await call('StoreService/Head', { actor: { type: '1', id: 'x' } }), {
    status: 400,
    body: { details: [{ debug: { code: 'invalid-actor-type' } }] },
  })
  t.match(await call('StoreService/Head', {}), {
    status: 400,
    body: { details: [{ debug: { code: 'invalid-actor-id' } }] },
  })
  const appended = await call('StoreService/Append', {
    actor: alice,
    events: [{ type: 'deposited', data: { json: { amount: 1 } } }],
    expected: { none: true },
  })
  t.match(appended, { status: 200, body: { conflict: { actual: '1' } } })
})

const transports: Record<
  string,
  (baseUrl: string, interceptors?: Interceptor[]) => Transport
> = {
  gRPC: (baseUrl, interceptors = []) => createGrpcTransport({ baseUrl, interceptors }),
  'gRPC-web': (baseUrl, interceptors = []) =>
    createGrpcWebTransport({ baseUrl, httpVersion: '1.1', interceptors }),
}

for (const [name, transportTo] of Object.entries(transports))
  await t.test(`${name} has the same calls on the same port`, async t => {
    const { door, node } = await open(t)
    const transport = transportTo(door.address)
    const store = createClient(StoreService, transport)
    const actors = createClient(ActorsService, transport)
    const messages = createClient(MessagesService, transport)
    const operations = createClient(OperationsService, transport)

    const ended = new AbortController()
    const watching = store.watch({ types: ['account'] }, { signal: ended.signal })
    const notices = watching[Symbol.asyncIterator]()
    await notices.next()
    const first = await actors.ask({
      actor: alice,
      command: 'deposit',
      data: amountOf(3),
    })
    t.match(first.outcome, { case: 'accepted', value: { version: 1n } })
    t.match((await notices.next()).value, {
      notice: { case: 'eventStored', value: { eventId: 'account/alice/1' } },
    })
    const following = store.follow({}, { signal: ended.signal })[Symbol.asyncIterator]()
    await following.next()
    t.match((await following.next()).value, {
      record: { record: { case: 'commit', value: { lastVersion: 1n } } },
    })
    ended.abort()
    await t.rejects(following.next())

    const sent = await actors.send({
      actor: alice,
      command: 'deposit',
      data: amountOf(4),
      commandId: 'once',
    })
    t.equal(sent.commandId, 'once')
    await until(async () => (await node.store.head(alice)).version === 2)
    const events = []
    for await (const { item } of store.read({ actor: alice })) events.push(item.case)
    t.strictSame(events, ['event', 'event'])

    await messages.declareConsumer({ name: 'mine', topics: ['news'], attempts: 2 })
    await messages.publish({
      topic: 'news',
      data: amountOf(1),
      id: 'm1',
      headers: { tenant: 'acme' },
    })
    const again = await messages.publish({ topic: 'news', data: amountOf(1), id: 'm1' })
    t.ok(again.duplicate)
    const { messages: got } = await messages.consume({ consumer: 'mine', batch: 10 })
    t.match(got, [
      { subject: 'news', headers: { 'Cairn-Message': 'm1', tenant: 'acme' } },
    ])
    const settle = (settlement: object) =>
      messages.settle({
        consumer: 'mine',
        ackToken: got[0]!.ackToken,
        ...settlement,
      })
    await settle({ settlement: { case: 'ack', value: {} } })
    const foreign = await settle({ settlement: { case: 'ack', value: {} } }).catch(
      problemOf,
    )
    t.ok(isCairnError(foreign, 'invalid-token'))
    const empty = await messages.consume({ consumer: 'mine', maxWaitMs: 1 })
    t.strictSame(empty.messages, [])

    await messages.declareConsumer({ name: 'fresh', topics: ['news'], startAtNew: true })
    await messages.publish({ topic: 'news', data: amountOf(2), id: 'm2' })
    const { messages: fresh } = await messages.consume({ consumer: 'fresh', batch: 10 })
    t.strictSame(
      fresh.map(({ headers }) => headers['Cairn-Message']),
      ['m2'],
      'only what is new',
    )

    await actors.ask({ actor: alice, command: 'remind' })
    await until(async () => {
      for await (const timer of operations.listTimers({ actor: alice }))
        return timer.name === 'later' && timer.type === 'deposit'
      return false
    })
    const headers = { tenant: 'acme' }
    await messages.publish({ topic: 'refused', data: amountOf(1), id: 'bad', headers })
    const reserved = await messages
      .publish({ topic: 'refused', headers: { 'Cairn-Node': 'x' } })
      .catch(problemOf)
    t.ok(isCairnError(reserved, 'invalid-message'))
    const letter = await until(async () => {
      for await (const { deadLetter } of operations.listDeadLetters({})) return deadLetter
      return undefined
    })
    t.match(letter, {
      reactor: 'refusing',
      reason: 'terminal',
      message: { id: 'bad', headers },
    })
    await operations.discardDeadLetter({ position: letter.position })
    const gone = await operations
      .getDeadLetter({ position: letter.position })
      .catch(problemOf)
    t.ok(isCairnError(gone, 'unknown-dead-letter'))

    const late = await (async () => {
      for await (const _ of store.follow({ after: 1_000n }, { timeoutMs: 50 }));
    })().catch(problemOf)
    t.ok(isCairnError(late, 'deadline-exceeded'), 'deadlines pass through')
  })

await t.test('tokens say who may do what, and probes need none', async t => {
  const digest = createHash('sha256').update('o'.repeat(20)).digest('hex')
  const tokens = parseTokens(`
# who reads only
${'r'.repeat(20)} carol reader
${'w'.repeat(20)} bob writer
sha256:${digest} alice writer,operator`)
  const { node, door } = await open(t, { tokens })
  const as = (token?: string) =>
    createGrpcTransport({
      baseUrl: door.address,
      interceptors: [
        next => request => {
          if (token !== undefined) request.header.set('authorization', `Bearer ${token}`)
          return next(request)
        },
      ],
    })
  const deposit = (token?: string) =>
    createClient(ActorsService, as(token))
      .ask({ actor: alice, command: 'deposit', data: amountOf(1) })
      .then(
        () => 'ok',
        (error: { code: number }) => error.code,
      )
  t.equal(await deposit(), 16, 'unauthenticated')
  t.equal(await deposit('x'.repeat(20)), 16)
  t.equal(await deposit('r'.repeat(20)), 7, 'permission denied')
  t.equal(await deposit('w'.repeat(20)), 'ok')
  t.equal(await deposit('o'.repeat(20)), 'ok')
  const { position } = await createClient(StoreService, as('r'.repeat(20))).lastPosition(
    {},
  )
  t.equal(position, 2n)
  const principals: (string | undefined)[] = []
  for await (const item of node.store.read({ type: alice.type, id: alice.id }))
    if (item.kind === 'event') principals.push(item.principal)
  t.strictSame(principals, ['bob', 'alice'], 'commits say who asked')
  const hosting = createClient(PluginService, as('w'.repeat(20))).host(
    (async function* () {})(),
  )
  await t.rejects(hosting[Symbol.asyncIterator]().next(), { code: 7 })
  const health = await fetch(`${door.address}/grpc.health.v1.Health/Check`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"service":"cairn.v1.StoreService"}',
  })
  t.strictSame(await health.json(), { status: 'SERVING' })
  t.throws(() => parseTokens('short one reader'), { code: 'invalid-option' })
  t.throws(() => parseTokens(`${'x'.repeat(20)} one everything`), {
    code: 'invalid-option',
  })
})

await t.test('a door that others reach is not open to all of them', async t => {
  const node = await startNode({ namespace: 'door', store: memory() })
  t.teardown(() => node.close())
  await t.rejects(serveGrpc({ node, listen: '0.0.0.0:0' }), { code: 'invalid-option' })
  for (const listen of ['nowhere', '127.0.0.1:99999', '127.0.0.1'])
    await t.rejects(serveGrpc({ node, listen }), { code: 'invalid-option' })
  const door = await serveGrpc({ node, listen: '127.0.0.1:0' })
  const { port } = new URL(door.address)
  await t.rejects(serveGrpc({ node, listen: `127.0.0.1:${port}` }), {
    code: 'invalid-option',
  })
  await door.close()
  await door.close()
})

await t.test('the first bytes of a call may come one by one', async t => {
  const { door } = await open(t)
  const { port } = new URL(door.address)
  const socket = connect(Number(port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  const path = '/cairn.v1.StoreService/LastPosition'
  const text = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  socket.setNoDelay()
  await once(socket, 'connect')
  for (const byte of ['P', 'O', text.slice(2)]) {
    socket.write(byte)
    await new Promise(resolve => setImmediate(resolve))
  }
  await until(() => heard.includes('{}'), { describe: 'the answer comes' })
  t.match(heard, /^HTTP\/1\.1 200/)
})

await t.test('TLS serves HTTP/1.1 and HTTP/2', async t => {
  const dir = t.testdir()
  const files = ['-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const kind = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', ...kind, ...files, ...subject], { stdio: 'ignore' })
  const cert = await readFile(`${dir}/cert.pem`)
  const key = await readFile(`${dir}/key.pem`)
  const { door } = await open(t, { tls: { cert, key } })
  t.match(door.address, /^https:/)
  for (const httpVersion of ['1.1', '2'] as const) {
    const transport = createGrpcWebTransport({
      baseUrl: door.address,
      httpVersion,
      nodeOptions: { ca: cert },
    })
    t.equal((await createClient(StoreService, transport).lastPosition({})).position, 0n)
  }
})

await t.test('reflection lists the services and their files', async t => {
  const { door } = await open(t)
  const { ServerReflection } =
    await import('../../packages/grpc/src/gen/grpc/reflection/v1/reflection_pb.js')
  const reflection = createClient(
    ServerReflection,
    createGrpcTransport({ baseUrl: door.address }),
  )
  const requests = [
    { messageRequest: { case: 'listServices', value: '' } },
    { messageRequest: { case: 'fileContainingSymbol', value: 'cairn.v1.Event.id' } },
    { messageRequest: { case: 'fileByFilename', value: 'cairn/v1/store.proto' } },
    { messageRequest: { case: 'fileContainingSymbol', value: 'no.such' } },
    { messageRequest: { case: 'allExtensionNumbersOfType', value: 'x' } },
  ] as const
  const answers = []
  const answering = reflection.serverReflectionInfo(
    (async function* () {
      yield* requests
    })(),
  )
  for await (const { messageResponse } of answering) answers.push(messageResponse)
  const [services, byName, byFile, missing, unsupported] = answers
  t.ok(
    services?.case === 'listServicesResponse' &&
      services.value.service.some(({ name }) => name === 'cairn.v1.PluginService'),
  )
  for (const found of [byName, byFile])
    t.ok(
      found?.case === 'fileDescriptorResponse' &&
        found.value.fileDescriptorProto.length > 1,
    )
  t.match(missing, { case: 'errorResponse', value: { errorCode: 5 } })
  t.match(unsupported, { case: 'errorResponse', value: { errorCode: 12 } })
})
