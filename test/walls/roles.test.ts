// Each role of `cairn acl`, in one account and in an account of its own: it can do all of its work, and nothing more.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'nats'
import t, { type Test } from 'tap'

import { jetstream } from '../../src/backend/jetstream.js'
import type { Role } from '../../src/nats/permissions.js'
import { startNode } from '../../src/runtime/start-node.js'
import { cairn } from '../multinode/harness.js'
import { aclConfig, loginOf } from '../support/acl.js'
import { type NatsServer, startNats } from '../support/nats.js'
import { workOfNodes } from './work.js'

const ns = 'tenant-a'

const storeOf = ({ url }: NatsServer, role: Role) =>
  jetstream({ servers: url, ...loginOf(ns, role) })

const flagsOf = ({ port }: NatsServer, role: Role) => {
  const { user, password } = loginOf(ns, role)
  return ['--ns', ns, '--nats', `nats://${user}:${password}@127.0.0.1:${port}`]
}

/** What the server has refused so far, as its log says it: `Publish Violation … Subject "x"`. */
async function refusals({ dir }: NatsServer): Promise<string[]> {
  const log = await readFile(join(dir, 'nats-server.log'), 'utf8')
  return [...log.matchAll(/(\w+) Violation.*?Subject "([^"]+)"/g)].map(
    ([, what, subject]) => `${what} ${subject}`,
  )
}

/** Sends a request as a role, and resolves with the answer, or `refused`. */
async function ask(
  { url }: NatsServer,
  role: Role,
  subject: string,
  body = '',
): Promise<string> {
  const { user, password: pass } = loginOf(ns, role)
  const nc = await connect({ servers: url, user, pass })
  const status = nc.status()
  const refused = (async () => {
    for await (const { permissionContext } of status)
      if (permissionContext?.subject === subject) return 'refused'
    return 'closed'
  })()
  let answer = () => {}
  const answered = new Promise<void>(resolve => (answer = resolve))
  const inbox = `_INBOX_${ns}.asked`
  nc.subscribe(inbox, { callback: answer })
  nc.publish(subject, body, { reply: inbox })
  const end = await Promise.race([refused, answered.then(() => 'answered')])
  await nc.close()
  return end
}

async function isRefused(t: Test, server: NatsServer, role: Role, subjects: string[]) {
  for (const subject of subjects)
    t.equal(await ask(server, role, subject), 'refused', `${role}: ${subject}`)
}

async function aReaderReads(t: Test, server: NatsServer) {
  const as = (...args: string[]) => cairn(...args, ...flagsOf(server, 'reader'))
  await using node = await startNode({
    namespace: ns,
    id: 'served',
    store: storeOf(server, 'node'),
    create: false,
    serve: true,
    log: false,
  })
  const readings: [string[], RegExp][] = [
    [['read', 'counter/a'], /added/],
    [['tail', '--after', '0', '--limit', '3'], /added/],
    [['state', 'counter/b.c'], /at version 3: 3/],
    [['actors'], /counter\/durable/],
    [['nodes'], /served/],
    [['messages'], /counter\.said/],
    [['projections'], /totals/],
    [['dlq', 'list'], /^$/],
  ]
  for (const [args, shows] of readings) {
    const { code, stdout, stderr } = await as(...args)
    t.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    t.match(stdout, shows, args.join(' '))
  }
  const writings = [
    ['append', 'counter/a', 'added', '1'],
    ['ask', 'counter/a', 'add', '1'],
    ['send', 'counter/a', 'add', '1'],
    ['actor', 'pause', 'counter/a', '--reason', 'x'],
  ]
  for (const args of writings) {
    const { code, stderr } = await as(...args)
    t.equal(code, 1, `${args.join(' ')}: ${stderr}`)
    t.match(stderr, /\[unauthorized\]/, args.join(' '))
  }
  t.strictSame(
    node.members().map(({ id }) => id),
    ['served'],
  )
}

async function anOperatorCreatesRepairsAndRemoves(
  t: Test,
  server: NatsServer,
  hasAccount: boolean,
) {
  const as = (...args: string[]) => cairn(...args, ...flagsOf(server, 'operator'))
  t.match(await as('repair'), { code: 0, stderr: /Nothing is damaged/ })
  const flags = flagsOf(server, 'operator').slice(2)
  const list = await cairn('namespaces', 'list', ...flags)
  if (hasAccount) t.match(list, { code: 0, stdout: `${ns}\n` })
  else t.match(list, { code: 1, stderr: /unauthorized/ })
  const nc = await connect({ servers: server.url, ...passOf('operator') })
  for (const [subject, body] of [
    [`STREAM.DELETE.KV_CAIRN_${ns}_VIEWS`, ''],
    [`STREAM.DELETE.CAIRN_${ns}_TIMERS`, ''],
  ])
    t.notMatch((await nc.request(`$JS.API.${subject}`, body)).string(), /error/)
  await nc.close()
  t.match(await as('repair'), { code: 0, stderr: /repaired/ })
  t.match(await cairn('namespaces', 'remove', ns, '--yes', ...flags), { code: 0 })
  t.match(await cairn('namespaces', 'create', ns, ...flags), { code: 0 })
}

function passOf(role: Role) {
  const { user, password: pass } = loginOf(ns, role)
  return { user, pass, inboxPrefix: `_INBOX_${ns}` }
}

for (const accounts of [false, true])
  await t.test(accounts ? 'an account for each' : 'one account', async t => {
    await using server = await startNats({
      config: aclConfig([ns, 'tenant-b'], {
        accounts,
        quota: accounts ? { bytes: '1GB' } : {},
      }),
    })
    await t.test('a node cannot create its namespace, and an operator can', async t => {
      const start = startNode({ namespace: ns, store: storeOf(server, 'node') })
      await t.rejects(start, { code: 'unauthorized' })
      const flags = flagsOf(server, 'operator').slice(2)
      t.match(await cairn('namespaces', 'create', ns, ...flags), { code: 0 })
    })
    // What was refused until here was asked for.
    const early = (await refusals(server)).length
    await t.test('nodes do all of their work', async t => {
      await workOfNodes(storeOf(server, 'node'), ns, { commits: 2_100 })
      // A node asks why a write of its log takes long, and can do without the answer.
      const allowed = `Publish $JS.API.STREAM.MSG.DELETE.CAIRN_${ns}`
      const refused = (await refusals(server)).slice(early).filter(one => one !== allowed)
      t.strictSame(refused, [], 'and are refused nothing')
    })
    await t.test('a node can neither make, change nor remove a stream', t =>
      isRefused(
        t,
        server,
        'node',
        [`CAIRN_${ns}`, `CAIRN_${ns}_INBOX`, `KV_CAIRN_${ns}_GROUPS`].flatMap(stream =>
          ['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'SNAPSHOT', 'RESTORE'].map(
            verb => `$JS.API.STREAM.${verb}.${stream}`,
          ),
        ),
      ),
    )
    await t.test('a node can neither remove commits nor list streams', t =>
      isRefused(t, server, 'node', [
        `$JS.API.STREAM.MSG.DELETE.CAIRN_${ns}`,
        '$JS.API.STREAM.NAMES',
        '$JS.API.STREAM.LIST',
        `$JS.API.CONSUMER.NAMES.CAIRN_${ns}`,
        `cairn.${ns}.stored.0.counter.a`,
        `cairn.${ns}.queued.inbox.0.counter.a`,
        `cairn.${ns}.due.0.counter.a`,
      ]),
    )
    if (accounts)
      await t.test('the memory of the account allows long readings', async t => {
        const nc = await connect({ servers: server.url, ...passOf('node') })
        const config = { name: 'x', ack_policy: 'none', mem_storage: true }
        const body = JSON.stringify({ stream_name: `CAIRN_${ns}`, config })
        const subject = `$JS.API.CONSUMER.CREATE.CAIRN_${ns}.x`
        t.match((await nc.request(subject, body)).json(), { name: 'x' })
        await nc.close()
      })
    // Each run of the command line is a process: once is enough.
    else await t.test('a reader reads', t => aReaderReads(t, server))
    await t.test('a reader can publish nothing', t =>
      isRefused(t, server, 'reader', [
        `cairn.${ns}.log.0.counter.a`,
        `cairn.${ns}.inbox.0.counter.a`,
        `cairn.${ns}.topic.counter.said`,
        `cairn.${ns}.dead.x`,
        `cairn.${ns}.timer.0.counter.a.x`,
        `cairn.${ns}.ask.counter`,
        `cairn.${ns}.node.one`,
        `cairn.${ns}.members`,
        `$KV.CAIRN_${ns}_GROUPS.x`,
        `$KV.CAIRN_${ns}_VIEWS.x`,
        `$JS.API.STREAM.MSG.DELETE.CAIRN_${ns}_INBOX`,
        `$JS.API.STREAM.PURGE.KV_CAIRN_${ns}_VIEWS`,
        `$JS.API.CONSUMER.CREATE.CAIRN_${ns}.x`,
        `_INBOX_${ns}.x`,
      ]),
    )
    await t.test('an operator creates, repairs and removes', t =>
      anOperatorCreatesRepairsAndRemoves(t, server, accounts),
    )
  })
